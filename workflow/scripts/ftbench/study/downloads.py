"""Under which name a data set's download lies, shared by all entries that want the same."""

from ftbench.study.kinds import declared
from ftbench.study.rows.shards import HUB_NAME


def download_of(entry: dict) -> str | None:
    """The folder below resources/datasets/<source> of what is downloaded for an entry of `datasets`; None if nothing is.

    A set of the Hugging Face hub, hf:<owner>/<name>@<revision>/<files>, lies in <owner>--<name>--<revision>--<files>.
    """
    if not declared(entry["source"], "sources")["download"]:
        return None
    if entry["name"]:
        return entry["name"]
    found = HUB_NAME.fullmatch(entry["path"] or "")
    if found is None:
        return None
    parts = (found["repo"], found["revision"], (found["below"] or "").strip("/"))
    return "--".join(part.replace("/", "--").replace("*", "+") for part in parts if part)
