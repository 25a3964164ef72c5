"""A resolved entry of the config's `datasets` table, with every key, for the tests of the data floor."""

DEFAULTS = {
    "source": "imagefolder",
    "name": None,
    "path": None,
    "urls": [],
    "md5": None,
    "download_gb": None,
    "image_size": None,
    "fit": "crop",
    "on_corrupt": "fail",
    "test_fraction": None,
    "groups": None,
    "ungrouped": "refuse",
    "group_leaks": "refuse",
    "validation": None,
    "parts": None,
    "images": None,
    "columns": None,
    "unlabelled": "refuse",
    "include": [],
    "exclude": [],
    "range": None,
    "max_pixels": 178_956_970,
    "validation_fraction": 0.2,
    "train_limit": None,
    "split_seed": 0,
    "exclude_test": None,
    "slices": None,
    "slices_table": None,
    "group_duplicates": True,
    "drop_duplicates": False,
    "drop_label_issues": 0,
    "flip": True,
}


def entry(**changes) -> dict:
    unknown = set(changes) - set(DEFAULTS)
    assert not unknown, unknown
    return DEFAULTS | changes
