"""What was asked: the config, its checks, the grid of cells, and each job's settings. Without torch."""
