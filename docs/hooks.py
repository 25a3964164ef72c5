"""What mkdocs does beside its own work: documents that lie outside of docs/ become pages, and links to them lead to these.

A link to another file of the repository, such as an example, leads to a page that shows the file. A page thus needs no address of a repository.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
# file of the repository: page
OUTSIDE = {
    "config/README.md": "outside/config.md",
    "profiles/README.md": "outside/profiles.md",
    "CONTRIBUTING.md": "outside/contributing.md",
    "benchmarks/README.md": "outside/benchmarks.md",
    "CHANGELOG.md": "outside/changelog.md",
}
LINK = re.compile(r"(\]\()([^)\s#:]+)(#[^)\s]*)?(\))")


def on_files(files, config):
    """Add the pages of OUTSIDE, and one for every file of the repository that a page links to."""
    for name, page in OUTSIDE.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    origins = {file.src_uri: _origin(file.src_uri) for file in files if file.src_uri.endswith(".md")}
    texts = {origin: (ROOT / origin).read_text(encoding="utf-8") for origin in origins.values()}
    shown = {target for origin, text in texts.items() for target in _targets(origin, text) if _is_shown(target)}
    for name in sorted(shown):
        text = (ROOT / name).read_text(encoding="utf-8")
        kind = Path(name).suffix.removeprefix(".")
        files.append(File.generated(config, _page(name), content=f"# {name}\n\n````{kind}\n{text}\n````\n"))
    return files


def on_page_markdown(markdown, page, config, files):
    """Links as they must be between pages."""
    here = page.file.src_uri
    if here.startswith("outside/files/"):
        return markdown
    origin = _origin(here)

    def relinked(match):
        target = posixpath.normpath(posixpath.join(posixpath.dirname(origin), match[2]))
        relative = posixpath.relpath(_page(target), posixpath.dirname(here) or ".")
        return f"{match[1]}{relative}{match[3] or ''}{match[4]}"

    return LINK.sub(relinked, markdown)


def _origin(page: str) -> str:
    """The file of the repository that a page was made from."""
    return {made: name for name, made in OUTSIDE.items()}.get(page, f"docs/{page}")


def _targets(origin: str, text: str) -> set[str]:
    """Files of the repository that a document links to."""
    return {posixpath.normpath(posixpath.join(posixpath.dirname(origin), match[2])) for match in LINK.finditer(text)}


def _is_shown(target: str) -> bool:
    return not target.startswith("docs/") and target not in OUTSIDE and target != "README.md"


def _page(target: str) -> str:
    """The page of a file of the repository."""
    if target in OUTSIDE:
        return OUTSIDE[target]
    if target == "README.md":
        return "index.md"
    return target.removeprefix("docs/") if target.startswith("docs/") else f"outside/files/{target}.md"
