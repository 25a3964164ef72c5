"""The report's chapter on the images."""
