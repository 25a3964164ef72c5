"""Augmentation policies, one file each: `augment(images, generator)` maps (B, H, W, 3) uint8 to the same.

`DECLARES["without_flip"]` names the policy that stands in for it on a data set whose images must not be mirrored.
"""

import importlib
from collections.abc import Callable

from ftbench.study import kinds


def load(name: str) -> Callable:
    """The `augment` function of policy `name` (checked against the files when the config is read)."""
    return importlib.import_module(kinds.module("policies", name)).augment
