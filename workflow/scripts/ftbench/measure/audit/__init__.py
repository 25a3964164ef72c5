"""What may be wrong with a data set, before anything trains on it: duplicates, labels, odd images, a test set from elsewhere."""
