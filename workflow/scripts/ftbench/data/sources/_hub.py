"""A data set of the Hugging Face hub: its shards are listed, downloaded through `huggingface_hub` and compared with their checksums.

The client obeys its own variables: HF_ENDPOINT for a mirror, HF_TOKEN for sets that ask for one, HF_HUB_OFFLINE.
"""

import fnmatch
import hashlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from ftbench.base.digests import md5_of_file, sha256_of_file
from ftbench.base.errors import InputError
from ftbench.base.files import disk_is_full
from ftbench.study.rows.shards import HUB_NAME, is_hub

CONVERTED = "refs/convert/parquet"  # the branch in which the hub keeps sets of another form as parquet
BLOCK = 1 << 20


def about(settings: dict) -> dict:
    found = HUB_NAME.fullmatch(settings.get("path") or "")
    return {"homepage": f"https://huggingface.co/datasets/{found['repo']}"} if found else {}


def fetch(
    settings: dict, root: Path, suffixes: tuple[str, ...], most: int, report: Callable[[str], None]
) -> list[dict]:
    """Bring the shards of `hf:<owner>/<name>` into `root`: [{"file", "url", "md5", "sha256", "bytes"}]; [] of a local path.

    A shard that is there with the right checksum stays. Raises InputError where the hub cannot be reached or knows no such set, it has no
    shards, one has more than `most` bytes, or another checksum than the hub says.
    """
    path = settings.get("path") or ""
    if not is_hub(path):
        return []
    asked = HUB_NAME.fullmatch(path)
    if asked is None:
        raise InputError(
            f"path: {path} names no data set of the hub; write hf:<owner>/<name>, with @<revision> or /<files> behind it."
        )
    with _explained(path, root):
        revision, shards = _listed(asked, path, suffixes, report)
        fetched = []
        for number, shard in enumerate(shards, start=1):
            if (shard.size or 0) > most:
                raise InputError(
                    f"path: {shard.rfilename} of {path} has {shard.size / 1e9:.1f} GB, more than download_gb allows ({most / 1e9:g})."
                )
            report(f"{path}: shard {number:,} of {len(shards):,}, {shard.rfilename} ({(shard.size or 0) / 1e6:.1f} MB)")
            fetched.append(_shard(asked["repo"], revision, shard, root))
    return fetched


def _listed(asked, path: str, suffixes: tuple[str, ...], report: Callable) -> tuple[str, list]:
    """(commit, the shards that are asked for)."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RevisionNotFoundError

    for revision in (asked["revision"],) if asked["revision"] else (None, CONVERTED):
        try:
            info = HfApi().dataset_info(asked["repo"], revision=revision, files_metadata=True)
        except RevisionNotFoundError:
            if revision != CONVERTED:
                raise
            break
        below = (asked["below"] or "").strip("/")
        shards = [
            file
            for file in info.siblings or []
            if file.rfilename.endswith(suffixes) and _is_below(file.rfilename, below)
        ]
        if shards:
            if revision == CONVERTED:
                report(f"{path}: the set itself has no parquet, so the hub's own conversion is taken ({CONVERTED}).")
            for shard in shards:
                name = PurePosixPath(shard.rfilename)
                if name.is_absolute() or ".." in name.parts:
                    raise InputError(
                        f"path: {path} lists {shard.rfilename!r}, a name that leads out of its folder; nothing is downloaded."
                    )
            return info.sha, sorted(shards, key=lambda shard: shard.rfilename)
    raise InputError(
        f"path: {path} has no parquet files{' of that name' * bool(asked['below'])}, and the hub has not converted it."
    )


def _is_below(name: str, below: str) -> bool:
    return not below or fnmatch.fnmatchcase(name, below) or fnmatch.fnmatchcase(name, f"{below}/*")


def _shard(repo: str, revision: str, shard, root: Path) -> dict:
    from huggingface_hub import hf_hub_download, hf_hub_url

    place = root / shard.rfilename
    if not (place.is_file() and _checksum(place, shard)[0]):
        place.unlink(missing_ok=True)
        hf_hub_download(repo, shard.rfilename, repo_type="dataset", revision=revision, local_dir=root)
    right, found, wanted = _checksum(place, shard)
    if not right:
        place.unlink()
        raise InputError(
            f"path: {shard.rfilename} of {repo} arrived with the checksum {found} instead of {wanted}, and is deleted; start again, or choose "
            "another HF_ENDPOINT."
        )
    return {
        "file": shard.rfilename,
        "url": hf_hub_url(repo, shard.rfilename, repo_type="dataset", revision=revision),
        "md5": md5_of_file(place),
        "sha256": sha256_of_file(place),
        "bytes": place.stat().st_size,
    }


def _checksum(place: Path, shard) -> tuple[bool, str, str]:
    """(whether a file is what the hub lists, its checksum, the listed one): sha256 of large files, git's own of small ones."""
    if shard.lfs is not None:
        found, wanted = sha256_of_file(place), shard.lfs.sha256
    else:
        total = hashlib.sha1(f"blob {place.stat().st_size}\0".encode(), usedforsecurity=False)
        with place.open("rb") as stream:
            while block := stream.read(BLOCK):
                total.update(block)
        found, wanted = total.hexdigest(), shard.blob_id
    return found == wanted, found, str(wanted)


class _explained:
    """Turns what the client raises into a sentence."""

    def __init__(self, path: str, root: Path):
        self.path, self.root = path, root

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind, error, traceback) -> None:
        from huggingface_hub import constants, errors

        if error is None or isinstance(error, InputError) or not isinstance(error, Exception):
            return
        repo = self.path.removeprefix("hf:")
        if disk_is_full(error):
            raise InputError(f"No space left on the disk for {self.root}: free some space and start again.") from error
        if isinstance(error, errors.GatedRepoError):
            said = "asks for an agreement first; accept it on its page, and give your token by HF_TOKEN"
        elif isinstance(error, errors.RepositoryNotFoundError):
            said = f"is not known to {constants.ENDPOINT}, or is private; check the name, or give a token by HF_TOKEN"
        elif isinstance(error, errors.RevisionNotFoundError):
            said = "has no such revision; name another behind the @"
        else:
            reason = str(error).strip().partition("\n")[0].rstrip(".")[:300]
            said = (
                f"could not be downloaded from {constants.ENDPOINT} ({type(error).__name__}: {reason}); start again where there is a network, "
                f"or get its parquet files elsewhere and give their folder as path"
            )
        raise InputError(f"path: hf:{repo} {said}.") from error
