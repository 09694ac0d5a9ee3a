"""How the machine is called and set up: host name, language, time zone, kernel parameters."""
