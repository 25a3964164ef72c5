"""The report's chapter on classes: per-class scores, confusion, mistakes."""
