"""The loops that `benchmarks/time_to_accuracy.py` lets race, one file each, and the clock that they share."""
