"""Predictions on test images. The test set is opened here."""
