"""Measurements of networks and images: operations, silent units, transferability, duplicates, suspected labels."""
