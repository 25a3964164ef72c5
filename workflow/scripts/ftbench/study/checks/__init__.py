"""What is wrong with a config although each of its keys is valid."""
