"""What a run says, in each form that people and machines read. Nothing here decides or prints."""
