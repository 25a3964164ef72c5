"""Cells against each other: intervals and tests on shared test images, the luck of seeds, and what more data would bring."""
