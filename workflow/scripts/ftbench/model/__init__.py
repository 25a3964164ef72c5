"""Backbones: building, weights, stages, activations, features, freezing."""
