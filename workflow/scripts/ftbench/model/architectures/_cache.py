"""What lies in torch's cache of weights: compared with the hash in its name, where the name holds one.

torch compares a file with that hash when it downloads it, timm not even then, and neither does when the file is there already.
"""

import re
from pathlib import Path

import torch

from ftbench.base.digests import sha256_of_file

HASH = re.compile(r"-([0-9a-f]{8,64})\.[a-z.]+$")  # resnet18-f37072fd.pth


def cached_file(url: str) -> dict:
    """{"file_sha256", "file_check"} of the cached file of a URL: its digest, and what that was compared with.

    Raises RuntimeError, as torch does for a download, where the file is another one than its name says.
    """
    name = url.rpartition("/")[2]
    path = Path(torch.hub.get_dir(), "checkpoints", name)
    if not path.is_file():  # the library keeps it elsewhere
        return {"file_sha256": None, "file_check": "not compared: it is not in torch's cache"}
    found, promised = sha256_of_file(path), HASH.search(name)
    if promised is None:
        print(f"{path}: its name holds no hash to compare, so the file is believed; its sha256 is {found}")
        return {"file_sha256": found, "file_check": "not compared: its name holds no hash"}
    if not found.startswith(promised[1]):
        raise RuntimeError(f'invalid hash value of {path} (expected "{promised[1]}", got "{found}"): delete it')
    return {"file_sha256": found, "file_check": "the hash in its name"}
