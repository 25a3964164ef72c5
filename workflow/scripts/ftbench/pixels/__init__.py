"""What happens to pixels: augmentation, and corruption of test images."""
