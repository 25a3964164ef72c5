"""Training: from a run's settings to the network of its best epoch."""
