"""What decides and acts: why a run happens, what is due, what differs, and how it is changed and remembered."""
