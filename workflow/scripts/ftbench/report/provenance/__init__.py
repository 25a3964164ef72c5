"""The report's chapter on provenance: environment, runs, the research object."""
