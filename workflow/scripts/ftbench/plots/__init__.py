"""Figures of a study: one file per figure, each a function of paths and values that writes one SVG."""
