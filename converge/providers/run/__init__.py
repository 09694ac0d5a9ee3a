"""Programs and playbooks of the manifest, for state that no other type can declare."""
