"""The report's chapter on the protocol: recipes, tuning, learning curves, augmentation."""
