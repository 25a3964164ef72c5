"""Which columns of a table say the file, the label, the part and the group: by the key `columns`, or by their usual names."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from ftbench.base.errors import InputError, listed
from ftbench.base.given.image_names import is_image_name

# The usual names, the clearest first; a table with `file` and `id` means `file`.
USUAL = {
    "file": (
        "file",
        "filename",
        "file_name",
        "filepath",
        "file_path",
        "image_path",
        "image_file",
        "image_name",
        "img_path",
    )
    + ("path", "image", "img", "image_id", "img_id", "imageid", "imagename", "id", "name"),
    "label": (
        "label",
        "cls",
        "class_name",
        "classname",
        "class",
        "category",
        "target",
        "species",
        "breed",
        "diagnosis",
        "dx",
    )
    + ("labels", "label_name", "category_name", "classes", "class_id", "category_id", "label_id"),
    "part": ("part", "split", "subset", "partition", "set"),
    "group": ("group", "group_id"),
}
HINTS = (
    "patient",
    "subject",
    "person",
    "case",
    "lesion",
    "video",
    "clip",
    "sequence",
    "burst",
    "series",
    "study",
    "slide",
)
ON, OFF = ("1", "1.0", "true"), ("0", "0.0", "false", "")


@dataclass
class Columns:
    """Names of columns. Several `labels` are one-hot: the class of a row is the name of the one that is 1."""

    file: str | None
    labels: list[str]
    part: str | None
    group: str | None
    metadata: list[str]
    notes: list[str] = field(default_factory=list)


def which(found: dict[str, list[str]], settings: dict, where: str, file_needed: bool = True) -> Columns:
    """The columns that the key `columns` of a data set's entry names, or that are called as usual; what was guessed is noted.

    `found` are the cells by column, `where` the table for messages. Raises InputError where a column is missing or nothing says the label.
    """
    given = settings["columns"] or {}
    named = [
        name for value in given.values() if value is not None for name in ([value] if isinstance(value, str) else value)
    ]
    for name in named:
        if name not in found:
            raise InputError(f"columns: {where} has no column {name!r}; its columns are {listed(found, 20)}.")
    notes: list[str] = []
    file = given.get("file")
    if file is None and file_needed:
        file = _usual("file", found, named, where, notes)
    labels = given.get("label") or _usual("label", found, [*named, file], where, notes, others=True)
    labels = [labels] if isinstance(labels, str) else list(labels or [])
    part, group = (
        given.get(key) or _usual(key, found, [*named, file, *labels], where, notes, True) for key in ("part", "group")
    )
    taken = {file, *labels, part, group}
    if not labels:
        labels = _one_hot(found, taken, where, notes)
        taken.update(labels)
    rest = [name for name in found if name and name not in taken]
    if group is None:
        notes += [
            f"the column {name} of {where} may say which images belong together: columns: {{group: {name}}} keeps them on one side"
            for name in rest
            if any(word in name.casefold() for word in HINTS) and _repeats(found[name])
        ]
    metadata = given.get("metadata")
    return Columns(file, labels, part, group, rest if metadata is None else list(metadata), notes)


def _usual(
    key: str, found: Iterable[str], taken: list, where: str, notes: list[str], others: bool = False
) -> str | None:
    """The column that is called as usual; None, if `others` may say it, or InputError if there is none."""
    spelled = {name.casefold().strip().replace(" ", "_"): name for name in found if name not in taken}
    name = next((spelled[usual] for usual in USUAL[key] if usual in spelled), None)
    if name is not None:
        notes.append(f"the {key} is taken from the column {name} of {where}")
    elif not others:
        headless = any(is_image_name(cell) for cell in found)
        raise InputError(
            f"columns: {where} has the columns {listed(found, 20)}; "
            + (
                "its first line is no header, so write one above it, such as file,label."
                if headless
                else f"say by columns: {{{key}: ...}} which one names the {key}."
            )
        )
    return name


def _one_hot(found: dict[str, list[str]], taken: set, where: str, notes: list[str]) -> list[str]:
    """The columns of 0 and 1 that give each row one class. Raises InputError if there are none."""
    candidates = [
        name for name, cells in found.items() if name not in taken and {*map(str.casefold, cells)} <= {*ON, *OFF}
    ]
    count = len(next(iter(found.values())))
    ones = Counter()
    for name in candidates:
        ones.update(row for row, cell in enumerate(found[name]) if cell.casefold() in ON)
    if len(candidates) < 2 or len(ones) < count or max(ones.values()) > 1:
        rest = [name for name in found if name not in taken]
        raise InputError(
            f"columns: {where} has the columns {listed(found, 20)}; say by columns: {{label: ...}} which one of {listed(rest, 20)} names the "
            "label, or list those that are 1 for their class."
        )
    notes.append(
        f"the {len(candidates):,} columns {listed(candidates)} of {where} are taken for classes, of which each row has one"
    )
    return candidates


def label_of(found: dict[str, list[str]], labels: list[str], row: int, at: str) -> str:
    """The label of a row, "" if it has none. Raises InputError if it has several, or if a one-hot cell is neither 0 nor 1."""
    if len(labels) == 1:
        return found[labels[0]][row]
    own = []
    for name in labels:
        cell = found[name][row].casefold()
        if cell in ON:
            own.append(name)
        elif cell not in OFF:
            raise InputError(
                f"columns.label: {at} has {cell!r} in the column {name}, which is to be 1 for its class and 0 else."
            )
    if len(own) > 1:
        raise InputError(
            f"columns.label: {at} has the classes {listed(own)}; an image has one, so choose one or remove the row."
        )
    return own[0] if own else ""


def _repeats(cells: list[str]) -> bool:
    """Whether most values of a column occur more than once, but it is not the same for all rows."""
    different = len(set(cells))
    return 1 < different <= len(cells) / 2
