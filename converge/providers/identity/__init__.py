"""The machine's identity: host name, language, time zone, kernel parameters."""
