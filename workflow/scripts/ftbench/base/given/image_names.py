"""What a file is, by its name or its first bytes: an image, an image that nothing here can read, or no image at all.

A name decides if its ending is known. Else the first bytes do: downloads come without an ending, and a folder of images holds
annotations, archives and what operating systems leave behind.
"""

from pathlib import PurePosixPath

# Endings of the raster formats that Pillow reads, and HEIC's, for which a package can be installed.
IMAGES = frozenset(
    [
        ".apng",
        ".avif",
        ".avifs",
        ".bmp",
        ".dcx",
        ".dds",
        ".dib",
        ".gif",
        ".heic",
        ".heics",
        ".heif",
        ".heifs",
        ".hif",
        ".icns",
        ".ico",
        ".j2c",
        ".j2k",
        ".jfif",
        ".jp2",
        ".jpc",
        ".jpe",
        ".jpeg",
        ".jpf",
        ".jpg",
        ".jpx",
        ".jxl",
        ".mpo",
        ".pbm",
        ".pcx",
        ".pfm",
        ".pgm",
        ".png",
        ".pnm",
        ".ppm",
        ".psd",
        ".qoi",
        ".ras",
        ".sgi",
        ".tga",
        ".tif",
        ".tiff",
        ".webp",
        ".xbm",
        ".xpm",
    ]
)
# Images of other kinds, which would be left out in silence if they counted as no image. Pillow takes some camera files for a TIFF
# and gives their small preview, so they are never opened.
UNREADABLE = {
    **dict.fromkeys((".dcm", ".dicom", ".ima"), "a DICOM file; convert it to PNG or TIFF"),
    **dict.fromkeys((".nii", ".mha", ".mhd", ".nrrd"), "a medical volume; convert its slices to PNG or TIFF"),
    **dict.fromkeys((".svg", ".eps", ".wmf", ".emf", ".ai"), "a drawing without pixels; convert it to PNG"),
    **dict.fromkeys(
        [
            ".3fr",
            ".arw",
            ".cr2",
            ".cr3",
            ".crw",
            ".dng",
            ".erf",
            ".kdc",
            ".mrw",
            ".nef",
            ".nrw",
            ".orf",
            ".pef",
            ".raf",
            ".raw",
            ".rw2",
            ".sr2",
            ".srw",
            ".x3f",
        ],
        "a camera's raw file; convert it to JPEG, PNG or TIFF",
    ),
    **dict.fromkeys((".czi", ".lif", ".nd2", ".svs", ".ndpi", ".vsi"), "a microscope's own format; convert it to TIFF"),
}
# Endings of what lies beside images: its first bytes are not worth a look.
OTHERS = frozenset(
    [
        ".7z",
        ".avi",
        ".bat",
        ".bin",
        ".cfg",
        ".csv",
        ".db",
        ".doc",
        ".docx",
        ".gz",
        ".h5",
        ".html",
        ".htm",
        ".ini",
        ".ipynb",
        ".jl",
        ".json",
        ".jsonl",
        ".lnk",
        ".log",
        ".mat",
        ".md",
        ".mov",
        ".mp4",
        ".mkv",
        ".npy",
        ".npz",
        ".parquet",
        ".pdf",
        ".pickle",
        ".pkl",
        ".pt",
        ".pth",
        ".py",
        ".rar",
        ".rst",
        ".sh",
        ".sqlite",
        ".tar",
        ".tex",
        ".tgz",
        ".toml",
        ".torrent",
        ".tsv",
        ".txt",
        ".url",
        ".xls",
        ".xlsx",
        ".xml",
        ".xmp",
        ".yaml",
        ".yml",
        ".zip",
        ".aae",
        ".thm",
        ".part",
        ".tmp",
        ".crdownload",
        ".safetensors",
    ]
)
HEADER_BYTES = 32
MAGIC = (
    b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"8BPS",
    b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51", b"\xff\x0a", b"qoif",
)  # fmt: skip
HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")


def suffix(name: str) -> str:
    """The ending of a name in small letters, such as ".jpg", "" if it has none. `scan.nii.gz` ends in .nii."""
    path = PurePosixPath(name)
    if path.suffix.lower() == ".gz" and PurePosixPath(path.stem).suffix.lower() in UNREADABLE:
        return PurePosixPath(path.stem).suffix.lower()
    return path.suffix.lower()


def is_image_name(name: str) -> bool | None:
    """Whether a name is an image's, None if it does not say."""
    ending = suffix(name)
    if ending in IMAGES or ending in UNREADABLE:
        return True
    return False if ending in OTHERS else None


def is_image_header(header: bytes) -> bool:
    """Whether a file begins as an image does; `header` holds its first `HEADER_BYTES`."""
    webp = header[:4] == b"RIFF" and header[8:12] == b"WEBP"
    boxes = header[4:8] == b"ftyp" and (header[8:12] in HEIF_BRANDS or header[8:12] in (b"avif", b"avis"))
    pnm = header[:1] == b"P" and header[1:2] in b"123456" and header[2:3] in b" \t\r\n" and len(header) > 2
    return header.startswith(MAGIC) or webp or boxes or pnm


def is_heif(header: bytes) -> bool:
    """Whether a file begins as HEIC or HEIF does, whatever its name says: phones and messengers rename them to .jpg."""
    return header[4:8] == b"ftyp" and header[8:12] in HEIF_BRANDS
