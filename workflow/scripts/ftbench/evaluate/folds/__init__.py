"""Runs of a data set that is tested in folds, put together from those of its folds."""
