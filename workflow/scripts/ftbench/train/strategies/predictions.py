"""Predictions: another model answered outside of this study, and the user's files say what; nothing is trained or predicted here.

A cloud API, a colleague's network or timm's own inference.py stand in the same tables, with the same tests, as a network that was trained
here. What it cost is what its owner states, or unknown. Its interval speaks of this one model.
"""

DECLARES = {
    "start": "given",
    "engine": "given",
    "tuned": None,
    "stochastic": False,
    "recipe": {},
}
