"""The code in an exported folder: it needs Pillow and numpy alone, and reads every image as the study does."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from ftbench.base.errors import InputError
from ftbench.data.decode.stored import as_stored
from ftbench.export import package, packages
from ftbench.export.parity import _root, compared, refuse


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("model")
    package._copy_code(out)
    return out


def photos(folder):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (30, 48, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(folder / "turned.jpg", exif=exif, quality=95)
    image.convert("L").save(folder / "grey.png")
    image.convert("P").save(folder / "palette.gif")
    Image.fromarray(rng.integers(0, 256, (20, 20, 4), dtype=np.uint8), "RGBA").save(folder / "clear.png")
    Image.fromarray((pixels[..., 0].astype(np.uint16) << 4) + 3).save(folder / "deep.png")
    image.convert("CMYK").save(folder / "print.jpg")
    return sorted(path for path in folder.iterdir() if path.is_file())


@pytest.mark.parametrize("fit", ["crop", "squash", "pad"])
def test_the_image_reader_reads_as_the_study_does_and_needs_nothing_of_it(folder, fit, tmp_path):
    about = {"size": [16, 20], "range": [3, 4083], "source": {"fit": fit, "max_pixels": 10**6}}
    files = photos(tmp_path)
    code = "import sys, json; sys.path.insert(0, sys.argv[1])\nimport numpy as np\nfrom image_reader.stored import as_stored\n"
    code += f"about = {about!r}\nnp.save(sys.argv[2], np.stack([as_stored(path, about) for path in sys.argv[3:]]))\n"
    code += "heavy = {'torch', 'ftbench', 'scipy', 'pandas'} & {name.split('.')[0] for name in sys.modules}\nassert not heavy, heavy\n"
    out = tmp_path / "found.npy"
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code, folder, out, *files], env=inherited, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert np.array_equal(np.load(out), np.stack([as_stored(file, about) for file in files]))


def test_no_module_of_the_folder_names_this_package(folder):
    for path in folder.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(from|import) ftbench", text, re.M), path
        for module in re.findall(r"from image_reader\.(\w+) import", text):
            assert (folder / "image_reader" / f"{module}.py").exists(), module


def test_parity_is_all_images_and_small_differences():
    study = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
    assert compared(study, study) == {"images": 3, "same_top1": 1.0, "largest_difference": 0.0, "differ": []}
    refuse(compared(study + 9e-5, study), [None] * 3)
    with pytest.raises(InputError, match="a probability differs by 0.00011, and 0.0001 is allowed in float32"):
        refuse(compared(study + 1.1e-4, study), [None] * 3)
    with pytest.raises(InputError, match=r"1 of 3 test images get another class \(b.png\)"):
        refuse(compared(study[[0, 0, 2]], study), ["a.png", "b.png", None])


def test_only_sources_of_files_have_a_folder_of_files():
    assert str(_root({"source": "imagefolder", "path": "data/x"})) == "data/x"
    assert str(_root({"source": "table", "path": "t/rows.csv", "images": None})) == "t"
    assert str(_root({"source": "table", "path": "t/rows.csv", "images": "i"})) == "i"
    assert _root({"source": "torchvision"}) is None


def test_a_folder_that_exists_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(InputError, match="OUT: .+ exists already; name a new folder"):
        package.export(None, tmp_path, "float32")


def test_a_missing_package_is_one_sentence_with_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match="ftbench export needs onnx==.+; install it: pip install onnx=="):
        packages.need("ftbench export", "onnxruntime", "onnx")


def test_the_versions_that_messages_name_are_those_of_the_lock_and_the_extras():
    root = package.PACKAGE.parents[2]
    lock, project = (root / "requirements.txt").read_text(), (root / "pyproject.toml").read_text()
    for name, pinned in packages.PINNED.items():
        in_lock = re.search(rf"^{re.escape(pinned)}\b", lock, re.M)
        assert in_lock or name in ("mlflow", "trackio"), pinned
        assert f'"{pinned}"' in project or name == "pyarrow", pinned
