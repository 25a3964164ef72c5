"""What augmentation does to the images: originals beside random draws of every policy."""

import numpy as np

from ftbench.base.errors import InputError
from ftbench.report.layout.pictures import thumbnail, tile
from ftbench.report.layout.style import blank, panels, save, style, title

ORIGINALS, DRAWS = 3, 4


def augmentations(augmentations_path, dataset: str, out) -> None:
    """Draw `augmentations.npz`: `original` (k, H, W, 3) uint8 and per policy, under its name, (k, r, H, W, 3) uint8.

    A row per policy, a block of columns per image; up to three images and four draws of each.
    """
    with np.load(augmentations_path) as saved:
        if "original" not in saved or len(saved.files) < 2:
            raise InputError(
                f"{augmentations_path} holds {', '.join(saved.files) or 'nothing'}: it needs original and at least one policy."
            )
        original = saved["original"][:ORIGINALS]
        policies = {name: saved[name][:ORIGINALS, :DRAWS] for name in saved.files if name != "original"}
    draws = max(draw.shape[1] for draw in policies.values())
    names = ["original", *policies]
    with style():
        figure, axes = panels(len(original), 0.62 * draws + 0.5, 0.64 * len(names), columns=ORIGINALS)
        for number, panel in enumerate(axes):
            rows = [[thumbnail(original[number])] + [None] * (draws - 1)]
            for draw in policies.values():
                own = [thumbnail(image) for image in draw[number]]
                rows.append(own + [None] * (draws - len(own)))
            canvas, (step, _) = tile(rows)
            panel.imshow(canvas)
            blank(panel)
            if number == 0:
                panel.set_yticks((np.arange(len(names)) + 0.46) * step, names)
                panel.tick_params(length=0)
        count = f"{len(policies)} augmentation {'policy' if len(policies) == 1 else 'policies'}"
        finding = f"{count} on {dataset}: is every image still its class?"
        title(
            figure, finding, "Random draws as the network sees them in training; validation and test stay as they are."
        )
        save(figure, out)
