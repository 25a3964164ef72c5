from ftbench.study.config import resolve
from ftbench.study.tuning.budget import Budget, budgets, unequal


def study(**strategies) -> dict:
    return resolve(
        {
            "study": "s",
            "seeds": [0, 1],
            "datasets": {"digits": {"source": "digits", "flip": False}},
            "backbones": {"small": {"source": "ftbench", "model": "resnet8", "weights": "none", "image_size": 8}},
            "training": {"epochs": 2},
            "strategies": strategies,
        }
    )


def test_equal_trials_of_unequal_length_are_an_unequal_budget():
    short = {"kind": "scratch", "learning_rate": [0.001, 0.003, 0.01]}
    found = budgets(study(short=short, long=short | {"epochs": 10}))
    assert found == {"short": Budget(3, 6), "long": Budget(3, 30)}
    assert unequal(found).endswith("short 3 trials of 6 epochs together, long 3 trials of 30 epochs together")
    assert unequal(budgets(study(one=short, other=short))) == ""
