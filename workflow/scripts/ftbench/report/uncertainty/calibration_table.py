"""The table of calibration: how far confidence and accuracy are apart, before and after temperature scaling."""

from ftbench.report.layout.columns import CELL_COLUMNS, Column, as_decimal, as_percent
from ftbench.report.layout.formats import (
    percent,
)

CALIBRATION = {
    **CELL_COLUMNS,
    "Accuracy, %": as_percent("accuracy_mean"),
    "NLL, nats": as_decimal("nll", ".3f"),
    "Brier": as_decimal("brier", ".3f"),
    "ECE, %": as_percent("ece"),
    "Adaptive ECE, %": as_percent("adaptive_ece"),
    "Temperature": as_decimal("temperature", ".2f"),
    "NLL at it, nats": as_decimal("nll_scaled", ".3f"),
    "ECE at it, %": as_percent("ece_scaled"),
    "AURC, %": Column(lambda row: percent(row.aurc, 2), "aurc"),
}
