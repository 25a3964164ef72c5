"""What `ftbench init` prints: what was found, the worst first, then what comes next."""

import numpy as np

from ftbench.base.given.walk import shown
from ftbench.data.remarks import LISTED, sentence
from ftbench.study.folders.class_folders import many
from ftbench.tools.first_look.choices import UNBALANCED, spoken
from ftbench.tools.first_look.draft import Draft, groups_file

FEW = 20  # training images of a class below which its score says little
NAMED = 5
REPORT = "about 15 seconds"
SHORT = 0.2  # hours: a study of more has a smaller one


def found(draft: Draft) -> list[str]:
    """The lines on the images."""
    return [
        *_warnings(draft),
        *_classes(draft),
        *_balance(draft),
        *_pixels(draft),
        *_left_out(draft),
        *_groups(draft),
        *_slices(draft),
    ]


def chosen(draft: Draft) -> list[str]:
    """The lines on the study, and the next two commands."""
    tables, config = draft.choices.tables, shown(draft.output)
    lines = [
        f"{config}: {many(len(tables['backbones']), 'backbone')} x {len(tables['strategies'])} strategies x {many(len(tables['seeds']), 'seed')}, for "
        f"{draft.here}. Every value has its reason beside it.",
        *(f"  passed over, since it takes longer: {richer}" for richer in draft.choices.passed),
        "  no mirroring: flip is false, since no program can tell whether a mirrored image keeps its class; set it to true if it does",
        "Next:",
    ]
    commands = {f"make study CONFIG={config}": f"about {spoken(draft.choices.hours)}, {draft.here.trust}"}
    commands[f"make report CONFIG={config}"] = REPORT
    width = max(map(len, commands))
    lines += [f"  {command:<{width}}  {time}" for command, time in commands.items()]
    if draft.choices.hours > SHORT:
        lines.append(f"Too long? The same with --hours {SHORT:g} writes a smaller study; remove {config} first, or name another by --output.")  # fmt: skip
    return lines


def _warnings(draft: Draft) -> list[str]:
    seen, lines = draft.seen, []
    wrong = seen.contradictory()
    if wrong["pictures"]:
        first = " and ".join(f"{file} ({name})" for file, name in wrong["examples"][0][:2])
        lines.append(f"CONTRADICTORY LABELS: {wrong['pictures']:,} pictures stand in several classes, such as {first}.")
    for (one, other), pairs in seen.across().items():
        lines.append(
            f"LEAK: {len(pairs):,} pictures stand in {one} and in {other}, pixel for pixel, such as {pairs[0][0]} and {pairs[0][1]}; the audit "
            "marks them, and the scores without them stand beside the full ones."
        )
    for (one, other), count in draft.leaks.items():
        lines.append(f"LEAK: {count:,} groups stand in {one} and in {other}, by {draft.groups.how}.")
    return lines


def _classes(draft: Draft) -> list[str]:
    seen = draft.seen
    lines = [f"Found in {shown(draft.entry.root)}: {seen.total:,} images in {len(seen.classes):,} classes"]
    if draft.entry.settings["test_fraction"] is not None:
        lines[0] += f"; there is no test part, so {draft.entry.settings['test_fraction']:.0%} of them are drawn"
    if folds := draft.entry.settings["test_folds"]:
        lines[0] += f"; there is no test part: all of them are tested, in {folds} folds"
    if draft.entry.places:
        lines[0] += f"; {', '.join(f'{part} is the folder {place}' for part, place in draft.entry.places.items())}"
    counts = {part: seen.counts(part) for part in seen.names}
    order = range(len(seen.classes))
    if len(seen.classes) > LISTED:
        total = sum(counts.values())
        order = np.argsort(-total, kind="stable")
        order = [*order[:NAMED], *order[-NAMED:]]
        lines[0] += f"; the {NAMED} largest and the {NAMED} smallest:"
    names = [seen.classes[row] for row in order]
    width = max(map(len, [*names, "class"]))
    lines.append("  " + " ".join([f"{'class':<{width}}", *(f"{part:>12}" for part in counts)]))
    for row in order:
        lines.append(
            "  " + " ".join([f"{seen.classes[row]:<{width}}", *(f"{own[row]:>12,}" for own in counts.values())])
        )
    lines.append("  " + " ".join([f"{'all':<{width}}", *(f"{own.sum():>12,}" for own in counts.values())]))
    return lines


def _balance(draft: Draft) -> list[str]:
    seen, lines = draft.seen, []
    counts = seen.counts("train")
    if counts.max() > UNBALANCED * counts.min():
        most, least = seen.classes[counts.argmax()], seen.classes[counts.argmin()]
        lines.append(
            f"Unbalanced: {counts.max():,} training images of {most}, {counts.min():,} of {least}; recipes are chosen by balanced accuracy."
        )
    tiny = [name for name, count in zip(seen.classes, counts) if count < FEW]
    if tiny:
        more = f" and {len(tiny) - NAMED} more" * (len(tiny) > NAMED)
        lines.append(
            f"Tiny classes, with fewer than {FEW} training images: {', '.join(tiny[:NAMED])}{more}; their scores will say little."
        )
    return lines


def _pixels(draft: Draft) -> list[str]:
    seen, lines = draft.seen, []
    opened = (
        "all images were opened"
        if seen.opened == seen.total
        else f"{seen.opened:,} of {seen.total:,} images were opened, chosen at random"
    )
    side = {name: seen.sizes[:, axis] for axis, name in enumerate(("width", "height"))}
    sizes = ", ".join(f"{name} {own.min():,} / {int(np.median(own)):,} / {own.max():,}" for name, own in side.items())
    lines.append(f"Pixels, smallest / median / largest: {sizes}; {opened}.")
    lines.append("Colours: " + ", ".join(f"{count:,} {mode}" for mode, count in seen.modes.most_common()) + ".")
    if seen.range:
        lines.append(
            f"Values of more than 8 bits: {seen.range[0]:g} to {seen.range[1]:g}; one range for all, measured over the training images."
        )
    lines += [f"{many(count)} with {remark}." for remark, count in sorted(seen.remarks.items())]
    copies = seen.copies()
    if copies:
        lines.append(
            f"Exact copies of other images: {copies:,}; equal files stay on one side of every split that is drawn, equal pictures on one side of train and validation."
        )
    return lines


def _left_out(draft: Draft) -> list[str]:
    remarks, seen = draft.remarks, draft.seen
    lines = [sentence(note) for note in remarks["notes"]]
    if remarks["left_out"]:
        lines.append(
            "Left out: " + ", ".join(f"{count:,} {reason}" for reason, count in remarks["left_out"].items()) + "."
        )
    if seen.corrupt:
        first = "; ".join(f"{name} ({why})" for name, why in seen.corrupt[:NAMED])
        more = f" and {len(seen.corrupt) - NAMED:,} more" * (len(seen.corrupt) > NAMED)
        lines.append(f"Cannot be decoded: {many(len(seen.corrupt))}: {first}{more}.")
    return lines


def _groups(draft: Draft) -> list[str]:
    groups = draft.groups
    if groups is None:
        entry = draft.entry
        if entry.settings["groups"] or (entry.settings["columns"] or {}).get("group"):
            return []
        how = "list them by the key groups" if entry.takes("groups") else "say so in a column group"
        return [f"No groups can be seen; if some images belong together (one patient, one burst), {how}."]
    said = f"Groups: {groups.number():,} by {groups.how}, such as {next(filter(None, groups.groups.values()))}"
    table = shown(groups_file(draft.output))
    if draft.obeyed:
        listed = f"; {table} lists them, and each" if groups.column is None else "; each"
        return [f"{said}{listed} stays on one side of every split."]
    if groups.column is not None:
        return [f"{said}; too few in some class to divide them: columns: {{group: {groups.column}}} is not set."]
    if not draft.entry.takes("groups"):
        return [f"{said}; if they belong together, add a column group to {draft.entry.root}."]
    return [
        f"{said}; {table} lists them and is not used: if they belong together, take the # from groups in the config."
    ]


def _slices(draft: Draft) -> list[str]:
    """The columns by which the accuracy will be looked at."""
    if not draft.slices:
        return []
    return [
        f"Slices: the accuracy will be shown by {', '.join(draft.slices)} too, with the gap between the best and the worst."
    ]
