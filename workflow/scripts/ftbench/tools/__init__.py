"""What `make` and the command line start."""
