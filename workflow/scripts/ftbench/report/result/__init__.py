"""The report's chapter on the result: the comparison and what stands beside it."""
