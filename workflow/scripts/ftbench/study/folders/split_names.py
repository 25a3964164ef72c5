"""Which folder names say that a folder is a part of the data, train, validation or test, in their usual spellings.

`Training`, `TRAIN`, `train_images`, `trainset`, `train2017` and `seg_train` beside `seg_test` are all train parts; `bullet_train`
is none. A name alone decides nothing: what the folders hold decides too (`ftbench.study.folders.folder_layout`).
"""

import re
import unicodedata

from ftbench.base.errors import InputError

PARTS = ("train", "validation", "test")
HELD_OUT = "held out"  # what is called so is the test part if there is no other, else the validation part
WORDS = {
    "train": [
        "train",
        "training",
        "trains",
        "trn",
        "apprentissage",
        "entrainement",
        "entrenamiento",
        "treino",
        "treinamento",
        "addestramento",
        "训练",
        "訓練",
        "学習",
    ],
    "validation": [
        "val",
        "valid",
        "validation",
        "validate",
        "validating",
        "vali",
        "dev",
        "devel",
        "development",
        "validacion",
        "validacao",
        "validierung",
        "convalida",
        "验证",
        "驗證",
        "検証",
    ],
    "test": ["test", "testing", "tests", "tst", "prueba", "pruebas", "teste", "测试", "測試", "テスト"],
    HELD_OUT: ["eval", "evaluation", "evaluate", "holdout", "heldout"],
}
# What a name may add without saying anything: train_images, TestSet, val_data, 训练集.
FILLER = frozenset(
    [
        "set",
        "sets",
        "data",
        "dataset",
        "datasets",
        "image",
        "images",
        "img",
        "imgs",
        "picture",
        "pictures",
        "photo",
        "photos",
        "split",
        "splits",
        "part",
        "folder",
        "dir",
        "sample",
        "samples",
        "files",
        "partition",
        "集",
        "数据",
        "图片",
        "图像",
    ]
)
_ROLE = {word: role for role, words in WORDS.items() for word in words}
_ROLE |= {f"{word}{filler}": role for word, role in _ROLE.items() for filler in FILLER}


def role_of(name: str) -> tuple[str | None, frozenset[str]]:
    """The part that a folder's name speaks of, None if it speaks of none or of several, and the words that say something else."""
    text = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    text = unicodedata.normalize("NFC", text)
    text = re.sub(r"(?i)h[eo]ld[\W_]*out", "holdout", text)
    tokens = [token.casefold() for token in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_a-zA-Z]+", text)]
    roles = [_ROLE[token] for token in tokens if token in _ROLE]
    rest = frozenset(token for token in tokens if token not in _ROLE and token not in FILLER)
    return (roles[0] if len(set(roles)) == 1 else None), rest


def roles_of(names: list[str]) -> dict[str, list[str]]:
    """{part: the names that speak of it}, of folders that lie side by side.

    Names that say something else as well count only if another part's name says the same: seg_train beside seg_test.
    """
    said = {name: role_of(name) for name in names}
    roles_with: dict[frozenset, set] = {}
    for role, rest in said.values():
        if role is not None:
            roles_with.setdefault(rest, set()).add(role)
    found: dict[str, list[str]] = {}
    for name, (role, rest) in said.items():
        if role is not None and (not rest or len(roles_with[rest]) > 1):
            found.setdefault(role, []).append(name)
    held_out = found.pop(HELD_OUT, [])
    if held_out:
        found.setdefault("validation" if "test" in found else "test", []).extend(held_out)
    return found


def check_validation(where, named: dict[str, str], validation: str | None) -> None:
    """Raise InputError if the key `validation` does not say what to do with the validation part that `where` has, or has not.

    `named` maps the parts that are there to their names.
    """
    if "validation" in named and validation is None:
        raise InputError(
            f"validation: null, but {where} has the validation part {named['validation']}; set it to given to choose recipes on these "
            "images, to merge to add them to train and draw a validation part, or to ignore."
        )
    if "validation" not in named and validation is not None:
        raise InputError(f"validation: {validation} is given, but {where} has no validation part; set it to null.")
