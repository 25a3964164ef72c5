"""What is checked of strategies that are made of the finished runs of another."""

from ftbench.base.errors import InputError, choices
from ftbench.study import grid, kinds


def check_made_of(config: dict) -> None:
    """What is made of the runs of another strategy names one that has runs, which started alike where weights are averaged."""
    trained = [
        name for name, entry in config["strategies"].items() if kinds.declared(entry["kind"])["engine"] == "loop"
    ]
    for name, entry in config["strategies"].items():
        facts = kinds.declared(entry["kind"])
        if facts["engine"] != "runs":
            continue
        if entry["of"] not in trained:
            raise InputError(
                f"config: strategies.{name}.of is {entry['of']!r}; it must name the trained strategy whose runs it is made of: "
                f"{choices(trained) or 'the study has none, add one'}."
            )
        if facts.get("shared_start") and kinds.declared(config["strategies"][entry["of"]]["kind"])["start"] == "random":
            raise InputError(
                f"config: strategies.{name}.of is {entry['of']!r}, whose runs start from different random weights, so that the kind "
                f"{entry['kind']} would average networks that have nothing in common; name one that starts from pretrained weights."
            )


def check_members_in_grid(config: dict) -> None:
    """What is made of other cells is in the grid somewhere: it is left out wherever one of them is."""
    found = {cell.strategy for cell in grid.cells(config)}
    for name, entry in config["strategies"].items():
        if entry["of"] and name not in found:
            needs = choices(filter(None, (entry["of"], entry["probe"])))
            raise InputError(
                f"config: strategies.{name} is in no cell: it needs {needs} on the same backbone and data set, and exclude, or a backbone "
                "without weights, leaves that out everywhere; remove it."
            )
