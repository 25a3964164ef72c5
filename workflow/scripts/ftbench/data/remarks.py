"""What a preparation tells: contradictions first, then classes and counts, what was guessed, scaled, left out and skipped."""

import math

LISTED = 20  # classes up to which each is listed with its count
DARK = 64  # of 255: no image of a set is brighter if its values have fewer bits than its files


def say(part: str, summary: dict) -> None:
    """Print the sentences on one prepared part into the job's log."""
    for sentence in sentences(part, summary):
        print(sentence)


def sentences(part: str, summary: dict) -> list[str]:
    """The sentences on a part, from its train.json or test.json, the most serious first."""
    told = _contradiction(part, summary["contradictory"])
    told.append(f"{part}: {summary['images']:,} images in {len(summary['per_class']):,} classes: {_counts(summary)}.")
    if summary.get("given_validation"):
        told.append(f"{summary['given_validation']:,} of them are the validation part that was given.")
    told += [sentence(note) for note in summary["notes"]]
    told += _range(part, summary)
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in summary["left_out"].items())
    if left_out:
        told.append(f"Passed over in the folder: {left_out}.")
    if summary["skipped"]:
        told.append(f"Skipped as corrupt: {len(summary['skipped']):,} images.")
    told += [f"{count:,} images have {remark}." for remark, count in summary["remarks"].items()]
    return told


def sentence(note: str) -> str:
    """A note as a sentence; a path at its beginning keeps its letters."""
    first = note if "/" in note.partition(" ")[0] else f"{note[0].upper()}{note[1:]}"
    return f"{first}."


def _contradiction(part: str, found: dict) -> list[str]:
    if not found["pictures"]:
        return []
    first = " and ".join(f"{file} ({name})" for file, name in found["examples"][0])
    return [
        f"CONTRADICTORY LABELS: {found['pictures']:,} pictures of the {part} part stand in several classes, such as {first}; "
        "at least one label of each is wrong."
    ]


def _counts(summary: dict) -> str:
    counts = summary["per_class"]
    if len(counts) <= LISTED:
        return ", ".join(f"{name} {count:,}" for name, count in counts.items())
    fewest, most = min(counts, key=counts.get), max(counts, key=counts.get)
    return f"{counts[fewest]:,} ({fewest}) to {counts[most]:,} ({most}) images each"


def _range(part: str, summary: dict) -> list[str]:
    told, low_high = [], summary["range"]
    if summary["deep"]:
        origin = (
            "range in the config" if summary["source"]["range"] else "lowest and highest value of the training images"
        )
        told.append(
            f"{summary['deep']:,} of {summary['images']:,} images have more than 8 bits: their values {_between(low_high)}, the {origin}, "
            "are stored as 0 to 255."
        )
    elif summary["source"]["range"]:
        told.append(
            f"range: {summary['source']['range']} has no effect on the {part} part, whose images all have 8 bits."
        )
    if summary.get("range_without_outliers"):
        told.append(
            f"Few outliers stretch that range: nearly all values are {_between(summary['range_without_outliers'])}; set range to that if "
            "the rest is noise."
        )
    outside = summary["outside"]
    if outside["values"]:
        told.append(
            f"{outside['values']:,} values in {outside['images']:,} images of the {part} part lie outside of {_between(low_high)} and are "
            "cut to black or white."
        )
    if summary["brightest"] < DARK:
        told.append(
            f"No pixel of the {part} part is brighter than {summary['brightest']} of 255: were these images made from more bits?"
        )
    return told


def _between(low_high: list[float]) -> str:
    low, high = (math.floor(value) if float(value).is_integer() else value for value in low_high)
    return f"{low:g} to {high:g}" if isinstance(low, float) or isinstance(high, float) else f"{low} to {high}"
