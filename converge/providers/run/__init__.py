"""Programs and playbooks that the manifest brings: for what no other type can say."""
