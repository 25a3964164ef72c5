"""The report's chapter on cost."""
