"""The remotes of the system's ostree repository."""
