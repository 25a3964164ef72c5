"""What a study's config does about near duplicates and suspected labels before it splits: keep them together, or leave them out.

Nothing of it looks at a test image. Each function says in the log what it did and adds it to `cleaning`, which the split keeps.
"""

import numpy as np

from ftbench.base.errors import InputError, listed
from ftbench.data.groups import merge_groups

KEYS = ("group_duplicates", "drop_duplicates", "drop_label_issues")


def join_near_duplicates(groups: np.ndarray, rows: np.ndarray, clusters: np.ndarray, cleaning: dict) -> np.ndarray:
    """`groups` (N,) of all images with the near duplicates among `rows` (K,) joined; `clusters` (K,) is equal where they are."""
    _count(clusters, cleaning)
    key = np.full(len(groups), None, object)
    key[rows] = clusters
    return merge_groups(groups.tolist(), key.tolist())


def loosen_whole_classes(
    labels: np.ndarray, groups: np.ndarray, clusters: np.ndarray, cleaning: dict, classes: list[str] | None
) -> np.ndarray:
    """`clusters` (K,) of near duplicates, taken apart where they would make all images of a class one group.

    Few small images may all look alike, and such a class could not stand in train and validation. `labels`, `groups`: (K,).
    """
    clusters, loosened = clusters.copy(), []
    joined = merge_groups(groups.tolist(), clusters.tolist())
    for label in _in_one_group(labels, joined):  # taking clusters apart brings no other class into one group
        own = labels == label
        if len(np.unique(joined[own])) == 1 < len(np.unique(groups[own])):
            alike = np.isin(clusters, clusters[own])
            clusters[alike] = clusters.max() + 1 + np.arange(alike.sum())
            joined = merge_groups(groups.tolist(), clusters.tolist())
            loosened.append(f"number {label}" if classes is None else classes[label])
    if loosened:
        cleaning["classes_of_near_duplicates"] = loosened
        print(
            f"group_duplicates: all images of {listed(loosened)} look like near duplicates of each other; they are not kept together, since "
            "train and validation each need some. Scores on them may measure memory."
        )
    return clusters


def _in_one_group(labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The labels whose images all have one group."""
    order = np.argsort(labels, kind="stable")
    found, first = np.unique(labels[order], return_index=True)
    same = np.minimum.reduceat(groups[order], first) == np.maximum.reduceat(groups[order], first)
    return found[same]


def one_of_each(rows: np.ndarray, clusters: np.ndarray, prefer: np.ndarray | None, cleaning: dict) -> np.ndarray:
    """(K,) bool: one image of each cluster stays, the first, or the first for which `prefer` (K,) holds."""
    _count(clusters, cleaning)
    order = np.arange(len(rows)) if prefer is None else np.argsort(~prefer, kind="stable")
    _, first = np.unique(clusters[order], return_index=True)
    stays = np.zeros(len(rows), bool)
    stays[order[first]] = True
    cleaning["dropped_duplicates"] = int((~stays).sum())
    print(
        f"drop_duplicates: {(~stays).sum():,} images are left out, one of each {cleaning['duplicate_clusters']:,} clusters stays."
    )
    return stays


def say_what_is_kept_together(clusters: np.ndarray, without: np.ndarray, cleaning: dict) -> None:
    """`without` (K,) bool: who would validate if near duplicates were not kept together; clusters that it cuts are counted."""
    _, number = np.unique(clusters, return_inverse=True)
    size, inside = np.bincount(number), np.bincount(number, weights=without)
    cut = (inside > 0) & (inside < size)
    cleaning["duplicate_clusters_not_cut"] = int(cut.sum())
    if cleaning["duplicate_clusters"]:
        print(
            f"group_duplicates: {cleaning['duplicate_images']:,} images in {cleaning['duplicate_clusters']:,} clusters of duplicates stay on "
            f"one side of the split; {cut.sum():,} of these clusters would have been cut."
        )


def without_suspects(train: np.ndarray, suspects: np.ndarray, count: int, cleaning: dict) -> np.ndarray:
    """`train` without the first `count` of `suspects` that are in it. Raises InputError if there are fewer images."""
    if count >= len(train):
        raise InputError(f"drop_label_issues: {count}, but only {len(train)} images train; give a smaller number.")
    dropped = suspects[np.isin(suspects, train)][:count]
    cleaning["dropped_label_issues"] = len(dropped)
    print(f"drop_label_issues: {len(dropped):,} training images with the most suspected labels are left out.")
    return np.setdiff1d(train, dropped)


def check_left(before: np.ndarray, after: np.ndarray, key: str, classes: list[str] | None) -> None:
    """Raise InputError if a class of the labels `before` has no image among those `after`."""
    for label in np.setdiff1d(before, after).tolist():
        name = f"number {label}" if classes is None else classes[label]
        raise InputError(
            f"{key} leaves no training image of the class {name}; switch it off, or add images of that class."
        )


def _count(clusters: np.ndarray, cleaning: dict) -> None:
    sizes = np.unique(clusters, return_counts=True)[1]
    cleaning["duplicate_clusters"] = int((sizes > 1).sum())
    cleaning["duplicate_images"] = int(sizes[sizes > 1].sum())
