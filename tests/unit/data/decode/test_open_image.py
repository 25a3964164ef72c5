"""What people really have: malformed metadata, huge and empty files, other formats, several frames, colours of print."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from ftbench.data.decode import open_image
from ftbench.data.decode.open_image import FRAMES, METADATA, UPPER_BITS, open_pixels, open_rgb

RED = Image.new("RGB", (40, 30), (200, 40, 40))


def encoded(kind: str, image: Image.Image = RED, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def in_png(kind: bytes, data: bytes, spoilt: bool = False, image: Image.Image = RED) -> bytes:
    """A PNG with a chunk of this kind before its pixels."""
    whole = encoded("PNG", image)
    place = whole.index(b"IDAT") - 4
    checksum = zlib.crc32(kind + data) ^ spoilt
    return whole[:place] + struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum) + whole[place:]


def in_jpeg(marker: int, data: bytes) -> bytes:
    whole = encoded("JPEG")
    return whole[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data + whole[2:]


EXIF_TURNED = b"Exif\0\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0x112, 3, 1, 6) + b"\0\0\0\0"
FAULTY = {
    "eXIf that is cut": in_png(b"eXIf", b"\0\x08\0\x02\x01\x12\0\x03"),
    "3 MB of text": in_png(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * 3_000_000)),
    "2 MB of profile": in_png(b"iCCP", b"icc\0\0" + zlib.compress(np.random.default_rng(0).bytes(2_000_000))),
    "a wrong checksum of text": in_png(b"tEXt", b"a\0b", spoilt=True),
}


@pytest.mark.parametrize("name", FAULTY)
def test_faults_of_metadata_cost_no_image_and_are_told(name):
    opened = open_pixels(FAULTY[name])
    assert np.array_equal(opened.pixels, np.asarray(RED)) and opened.remarks == (METADATA,)


def test_orientation_survives_where_other_metadata_is_malformed():
    assert open_pixels(in_jpeg(0xE1, EXIF_TURNED)).pixels.shape == (40, 30, 3)
    broken = in_jpeg(0xE1, EXIF_TURNED + b"II*\0" * 50)
    assert open_pixels(broken).pixels.shape == (40, 30, 3)
    text = (
        b"Exif\0\0II*\0\x08\0\0\0\x02\0"
        + struct.pack("<HHII", 0x112, 3, 1, 6)
        + struct.pack("<HHII", 0x11A, 2, 1, 0)
        + b"\0\0\0\0"
    )
    assert open_pixels(in_jpeg(0xE1, text)).pixels.shape == (40, 30, 3)  # text where a number belongs
    exif = RED.getexif()
    exif[0x112] = 6
    whole = encoded("PNG", exif=exif)
    place = whole.index(b"IDAT") - 4
    text = FAULTY["a wrong checksum of text"]
    first = text.index(b"tEXt") - 4
    spoilt = whole[:place] + text[first : first + 15] + whole[place:]
    opened = open_pixels(spoilt)
    assert opened.pixels.shape == (40, 30, 3) and opened.remarks == (METADATA,)
    assert open_pixels(in_png(b"eXIf", EXIF_TURNED[6:].replace(b"\x06\0\0\0", b"\x63\0\0\0"))).pixels.shape == (
        30,
        40,
        3,
    )  # 99


@pytest.mark.parametrize(
    "name, data, why",
    [
        ("a.png", b"", "the file is empty"),
        ("a.jpg", b"<!DOCTYPE html><html>", "it holds a web page"),
        ("a.png", b"version https://git-lfs.github.com/spec/v1\noid", "a pointer of Git LFS"),
        ("a.dcm", b"x", "DICOM"),
        ("a.CR2", encoded("TIFF"), "camera's raw file"),  # Pillow would give its preview
        ("a.png", encoded("PNG")[:60], "truncated|broken"),
        ("a.jpg", encoded("JPEG")[:400], "truncated|Truncated"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path, name, data, why):
    (tmp_path / name).write_bytes(data)
    with pytest.raises((ValueError, OSError), match=why):
        open_pixels(tmp_path / name)


def test_heic_is_read_or_its_package_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))  # phones rename it
    monkeypatch.setattr(open_image, "_heif_plugin", False)
    with pytest.raises(ValueError, match="a HEIC image, which needs the package pillow-heif"):
        open_pixels(tmp_path / "a.jpg")


def test_a_real_heic_is_read_upright(tmp_path):
    """Where the extra `heif` is installed: pip install '.[heif]'."""
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    blocks = np.random.default_rng(0).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    pixels = np.kron(blocks, np.ones((16, 16, 1), np.uint8))
    sideways = Image.Exif()
    sideways[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "a.heic", quality=95, exif=sideways.tobytes())
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.heic").read_bytes())  # messengers rename it
    for name in ("a.heic", "a.jpg"):
        got = open_pixels(tmp_path / name).pixels
        assert got.shape == (64, 48, 3) and np.abs(got - np.rot90(pixels, 3).astype(float)).mean() < 2
    deep = (pixels.astype(np.uint16) << 8).tobytes()
    pillow_heif.encode("RGB;16", (64, 48), deep, str(tmp_path / "deep.heic"), quality=95)
    assert open_pixels(tmp_path / "deep.heic").remarks == (open_image.UPPER_BITS,)


def test_avif_needs_no_package(tmp_path):
    Image.new("RGB", (16, 12), (200, 30, 60)).save(tmp_path / "a.avif")
    assert np.abs(open_pixels(tmp_path / "a.avif").pixels - np.array([200.0, 30, 60])).max() < 8


def test_transparency_is_said_where_there_is_some():
    opaque, half = Image.new("RGBA", (4, 4), (9, 9, 9, 255)), Image.new("RGBA", (4, 4), (0, 0, 0, 128))
    assert open_pixels(encoded("PNG", opaque)).remarks == ()
    assert open_pixels(encoded("PNG", half)).remarks == (open_image.TRANSPARENT,)


def test_the_limit_of_pixels_is_the_config_s_and_pillow_s_does_not_come_first():
    with pytest.raises(ValueError, match=r"its 40 x 30 pixels are more than max_pixels, 1199; raise that"):
        open_pixels(encoded("PNG"), 1199)
    assert open_pixels(encoded("PNG"), 1200).remarks == ()
    large = encoded("PNG", Image.new("1", (20_000, 10_000)))
    with pytest.raises(ValueError, match="max_pixels, 178956970"):
        open_pixels(large)


def test_bytes_and_files_are_the_same(tmp_path):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8))
    for kind in ("PNG", "JPEG", "WEBP", "BMP", "TIFF"):
        (tmp_path / "a").write_bytes(encoded(kind, noise))
        assert np.array_equal(open_pixels(tmp_path / "a").pixels, open_pixels(encoded(kind, noise)).pixels)


def test_of_several_frames_the_first_is_read_and_told():
    pages = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue")]
    for kind in ("GIF", "TIFF", "PNG"):
        opened = open_pixels(encoded(kind, pages[0], save_all=True, append_images=pages[1:]))
        assert (opened.pixels == (255, 0, 0)).all() and opened.remarks == (FRAMES,)
    assert open_pixels(encoded("TIFF")).remarks == ()


def test_print_colours_and_see_through_palettes():
    cmyk = open_pixels(encoded("JPEG", RED.convert("CMYK"))).pixels
    assert np.abs(cmyk.astype(int) - np.asarray(RED)).max() < 12
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 10, 200, 10])
    assert (open_pixels(encoded("PNG", palette, transparency=1)).pixels == 255).all()
    assert (open_pixels(encoded("PNG", palette, transparency=b"\xff\x00")).pixels == 255).all()
    assert (open_pixels(encoded("PNG", palette)).pixels == (10, 200, 10)).all()


def test_sixteen_bits_per_colour_are_told():
    rows = b"".join(b"\0" + bytes([200, 7, 40, 7, 40, 7]) * 5 for _ in range(5))
    header = struct.pack(">IIBBBBB", 5, 5, 16, 2, 0, 0, 0)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    whole = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    opened = open_pixels(whole)
    assert (opened.pixels == (200, 40, 40)).all() and opened.remarks == (UPPER_BITS,)


RAMP = np.tile(np.linspace(0, 65535, 32).astype(np.uint16), (32, 1))


@pytest.mark.parametrize(
    "values", [RAMP, (RAMP >> 4), (RAMP // 257).astype(np.int32), RAMP.astype(np.int32) * 2000 // 65535 - 1000]
)
def test_more_bits_keep_all_their_levels(values):
    data = encoded("TIFF", Image.fromarray(values))
    assert np.array_equal(open_pixels(data).pixels, values)
    grey = np.asarray(open_rgb(data))
    assert (grey.min(), grey.max(), len(np.unique(grey))) == (0, 255, 32)
    half = np.asarray(open_rgb(data, (values.min(), 2 * int(values.max()) - int(values.min()))))
    assert (half.min(), half.max()) == (0, 128)
