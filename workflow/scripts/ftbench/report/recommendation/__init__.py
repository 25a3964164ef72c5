"""The report's chapter on the choice: what to pick under each budget."""
