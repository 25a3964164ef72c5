"""Cells that are made of the finished runs of another strategy: nothing is trained in them."""
