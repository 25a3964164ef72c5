"""How a training run ends."""

import math
from dataclasses import dataclass, field


@dataclass
class Outcome:
    """What a run ended with. `best_state` is the network of the best epoch, on the CPU; None where it diverged."""

    status: str = "finished"
    diverged: dict | None = None
    history: list[dict] = field(default_factory=list)
    best_epoch: int | None = None
    best: dict | None = None  # the validation scores of that epoch
    best_state: dict | None = None
    train_seconds: float = 0.0
    step_seconds: float = 0.0  # of it, inside training steps
    trained_images: int = 0
    resumes: int = 0


class Diverged(Exception):
    def __init__(self, epoch: int, step: int, rate: float, loss: float):
        self.where = {
            "epoch": epoch,
            "step": step,
            "learning_rate": rate,
            "loss": float(loss) if math.isfinite(loss) else None,
        }
