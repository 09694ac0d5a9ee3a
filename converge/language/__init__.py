"""The language of manifests: from YAML text to a checked product, and the expressions in it. Knows no machine."""
