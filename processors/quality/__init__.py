"""What is wrong with a recording, told from what is meant."""
