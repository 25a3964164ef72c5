"""The report's chapter on uncertainty: pairs, ranks, calibration, the clean test set."""
