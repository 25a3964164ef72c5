"""Which folders are parts and which are classes: known spellings, what is left out, and what is refused with advice."""

import pytest
from entries import entry

from ftbench.base.errors import InputError
from ftbench.base.given.walk import walk
from ftbench.study.folders.folder_layout import layout
from ftbench.study.folders.split_names import role_of, roles_of

LABELS = ("a", "b")


def images(*places, classes=LABELS, count=2):
    return [
        f"{place}/{name}/{number}.png".lstrip("/") for place in places for name in classes for number in range(count)
    ]


def found(root, *names, **changes):
    """The layout of a folder with files of these names; each holds its own name. A name that ends in / is an empty folder."""
    for name in names:
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
    settings = entry(path=str(root), **changes)
    return layout(walk(root, settings["include"], settings["exclude"]), settings)


def sizes(given) -> dict[str, int]:
    return {part: len(files) for part, files in given.files.items()}


@pytest.mark.parametrize(
    "train, test",
    [
        ("train", "test"),
        ("Training", "Testing"),
        ("TRAIN", "TEST"),
        ("trn", "tst"),
        ("train_images", "test_images"),
        ("TrainingSet", "TestSet"),
        ("trainset", "testset"),
        ("1_train", "2_test"),
        ("train2017", "test2017"),
        ("seg_train", "seg_test"),
        ("asl_alphabet_train", "asl_alphabet_test"),
        ("train", "holdout"),
        ("Train", "held-out"),
        ("train", "eval"),
        ("entrenamiento", "prueba"),
        ("训练集", "测试集"),
    ],
)
def test_a_part_is_known_by_any_usual_name_and_never_becomes_a_class(tmp_path, train, test):
    given = found(tmp_path, *images(train, test))
    assert given.classes == ["a", "b"] and not given.drawn
    assert sizes(given) == {"train": 4, "test": 4} and given.notes == []
    assert given.files["train"][0] == (f"{train}/a/0.png", 0) and given.files["test"][-1] == (f"{test}/b/1.png", 1)


@pytest.mark.parametrize("name", ["val", "Valid", "VALIDATION", "dev", "val_data", "eval", "Holdout"])
def test_a_validation_part_is_used_as_the_config_says_and_never_dropped(tmp_path, name):
    every = images("train", "test", name)
    with pytest.raises(InputError, match=rf"validation: null, but .* has the validation part {name}; set it to given"):
        found(tmp_path, *every)
    assert sizes(found(tmp_path, validation="given")) == {"train": 4, "validation": 4, "test": 4}
    assert sizes(found(tmp_path, validation="merge")) == {"train": 8, "test": 4}
    ignored = found(tmp_path, validation="ignore")
    assert sizes(ignored) == {"train": 4, "test": 4} and f"{tmp_path}/{name} is not used" in ignored.notes[0]


def test_parts_that_are_lacking_are_named_with_what_can_be_done(tmp_path):
    with pytest.raises(InputError, match=r"folder train and no folder test; .*parts: \{train: train, test: val\}"):
        found(tmp_path, *images("train", "val"))
    assert sizes(found(tmp_path, parts={"train": "train", "test": "val"})) == {"train": 4, "test": 4}
    drawn = found(tmp_path, validation="given", test_fraction=0.2)
    assert drawn.drawn and sizes(drawn) == {"train": 4, "validation": 4}
    with pytest.raises(InputError, match="validation: given is given, but .* has no validation part; set it to null"):
        found(tmp_path / "other", *images(""), validation="given", test_fraction=0.2)


def test_a_class_may_be_called_train(tmp_path):
    classes = ("bus", "car", "train")
    given = found(tmp_path, *images("", classes=classes), test_fraction=0.3)
    assert given.classes == list(classes) and given.drawn
    assert role_of("bullet_train")[0] == "train" and roles_of(["bullet_train", "bus"]) == {}
    with pytest.raises(
        InputError, match=r"folder train beside bus, car, so that it may be .* parts: \{train: train\} or"
    ):
        found(tmp_path, *images("train", classes=("steam", "diesel")), test_fraction=0.3)
    assert found(tmp_path, test_fraction=0.3, parts={}).classes == list(classes)
    assert found(tmp_path, test_fraction=0.3, parts={"train": "train"}).classes == ["diesel", "steam"]


def test_a_nested_copy_is_left_out_and_another_set_of_the_same_classes_is_refused(tmp_path):
    classes = ("Parasitized", "Uninfected")
    given = found(tmp_path, *images("", "cell_images", classes=classes), test_fraction=0.3)
    assert given.classes == list(classes) and sizes(given) == {"train": 4}
    assert "cell_images is a copy of all beside it and is left out: 4 images" in given.notes[0]
    with pytest.raises(
        InputError, match=r"with 1 other image, such as cell_images/Parasitized/9\.png; merge them, or leave"
    ):
        found(tmp_path, "cell_images/Parasitized/9.png", test_fraction=0.3)
    assert found(tmp_path, test_fraction=0.3, exclude=["/cell_images/"]).notes == []


def test_what_lies_beside_the_parts_is_named(tmp_path):
    given = found(tmp_path, *images("train", "test"), "extra/1.png", "x.png", "README.md", "empty/")
    assert given.notes == [
        f"{tmp_path}/extra is no part and is not used: 1 image",
        f"not used, since outside of the parts: 1 image in {tmp_path} itself",
    ]
    given = found(tmp_path, "train/stray.png", "train/annotations/1.xml")
    assert f"not used, since in no class folder: 1 image in {tmp_path}/train itself" in given.notes
    assert f"{tmp_path}/train/annotations holds no images and is no class (1 no image (.xml))" in given.notes
    assert given.left_out == {"no image (.xml)": 1}  # the README lies in no part


@pytest.mark.parametrize(
    "names, changes, message",
    [
        (["1.png", "2.png", "labels.csv"], {}, "holds 2 images and no class folders; sort them .* by what labels.csv says|source: table"),
        (["1.png"], {}, "holds 1 image and no class folders; give each class a folder of its images"),
        ([*images("train"), "test/1.png"], {}, "test holds 1 image and no class folders; .*images without labels can be no test"),
        ([*images("", classes=("train", "test"), count=1)], {}, "has no class folders|no class folders"),
        ([], {}, "holds no class folders with images"),
        ([*images(""), "c/"], {"test_fraction": 0.2}, "the class c is empty: .*/c holds no images; fill it or remove it"),
        (images(""), {}, "test_fraction: null, but .* has no folders train and test; .* its folders are a, b"),
        (images("mine"), {"test_fraction": 0.2}, r"has the one class mine; if a, b in it are the classes, give .*/mine"),
        (images("x/train", "x/test"), {}, r"holds the one folder x, in which the parts are; give .*/x"),
        (images("", classes=("cat/train", "cat/test", "dog/train", "dog/test")), {}, "put the parts first, such as train/cat"),
        (images("train", "test", "trainset"), {}, r"train, trainset, which are one part by their names; .* parts: \{\}"),
        (images("train", "test"), {"parts": {"train": "trian"}}, r"parts\.train: .*trian holds no images; its folders are test, train"),
        (images("train", "test"), {"parts": {"test": "test"}}, "names no train part"),
        (images("train", "test"), {"test_fraction": 0.2}, "test_fraction: 0.2 is given, but .* has a folder test of its own"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_gets_one_sentence_with_advice(tmp_path, names, changes, message):
    with pytest.raises(InputError, match=message) as caught:
        found(tmp_path, *names, **changes)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_class_folders_inside_a_wrapping_folder_are_found(tmp_path):
    given = found(tmp_path, *images("train/train", "test/images"))
    assert given.classes == ["a", "b"] and sizes(given) == {"train": 4, "test": 4}
    assert f"the class folders of the train part are taken from {tmp_path}/train/train" in given.notes


def test_names_in_the_two_forms_of_unicode_are_one_class_and_other_twins_are_shown(tmp_path):
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    given = found(tmp_path, *images("train", classes=(composed, "b")), *images("test", classes=(decomposed, "b")))
    assert given.classes == ["b", composed] and sizes(given) == {"train": 4, "test": 4}
    assert "(U+00E9) and 'cafe\u0301' (U+0301) of train and test are one class" in given.notes[0]
    with pytest.raises(InputError, match=r"two class folders that look alike, .*U\+0301.* and .*U\+00E9.*; rename one"):
        found(tmp_path, f"train/{decomposed}/1.png")
    with pytest.raises(InputError, match=r"lacks; .*two look alike: 'cat ' \(a blank at its end\) and 'cat'"):
        found(tmp_path / "two", *images("train", classes=("cat ", "dog")), *images("test", classes=("cat", "dog")))
    with pytest.raises(InputError, match=r"two look alike: 'Cat' and 'cat'"):
        found(tmp_path / "three", *images("train", classes=("Cat", "dog")), *images("test", classes=("cat", "dog")))
