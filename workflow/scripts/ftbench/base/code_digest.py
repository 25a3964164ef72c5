"""The digest of the code that a job runs: a rule's `code` param, so that an edit of that code reruns the job.

Snakemake notices a touched entry script but not an edited module. This digest covers the entry script and everything
that it imports from the package, transitively, at any depth of a function. Comments, docstrings and layout are left
out: they change no result. Kinds are loaded by name at run time, invisible to an import walk, so the caller names the
ones that this job uses: a new strategy file changes no other job's digest.
"""

import ast
import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path

from ftbench.base.parsed import Parsed

SCRIPTS = Path(__file__).resolve().parents[2]  # the rules import the package by a path with ".." in it
# The harness around a job changes no result: where its log goes, how an error is said, that a file is written whole or not at all
# (files), noted and compared with its note (verified), and kept for the next start (kept).
HARNESS = {
    "ftbench_job",
    "ftbench.base.job",
    "ftbench.base.lease",
    "ftbench.base.errors",
    "ftbench.base.files",
    "ftbench.base.kept",
    "ftbench.base.verified",
}
_OWN = Path(__file__).read_bytes()  # another way to parse gives something else
parsed = Parsed(SCRIPTS / "ftbench" / "__pycache__")


@functools.cache
def _parse(path: Path) -> tuple[str, frozenset[str], frozenset[str]]:
    """(digest of the syntax tree without docstrings, the ftbench modules it imports, all that it imports when it is imported itself)."""
    content = path.read_bytes()
    key = hashlib.sha256(_OWN + content).hexdigest()
    digest, imported, at_once = parsed.get(key) or parsed.add(key, _parse_anew(content))
    return digest, frozenset(imported), frozenset(at_once)


def _parse_anew(content: bytes) -> tuple[str, list[str], list[str]]:
    tree = ast.parse(content)
    imported, at_once = set(), {name for node in tree.body for name in _imports(node)}
    for node in ast.walk(tree):
        imported.update(name for name in _imports(node) if name.startswith("ftbench"))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node, clean=False
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), sorted(imported), sorted(at_once)


def _imports(node: ast.AST) -> list[str]:
    """The modules that a statement imports; of `from a import b` also a.b, a submodule perhaps."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


@functools.cache
def _file_of(module: str) -> Path | None:
    path = SCRIPTS / Path(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.exists():
            return candidate
    return None


def modules(script: str, extra: Iterable[str] = ()) -> dict[str, Path]:
    """{module name: file} of the entry `script` ("train.py"), of `extra` modules and of all that they import."""
    found: dict[str, Path] = {}
    waiting = [(script, SCRIPTS / script), *((name, _file_of(name)) for name in extra)]
    while waiting:
        name, path = waiting.pop()
        if path is None or name in found or name in HARNESS or path.resolve() == SCRIPTS / "ftbench" / "__init__.py":
            continue
        found[name] = path
        waiting.extend((imported, _file_of(imported)) for imported in _parse(path)[1])
    return found


@functools.cache
def code_digest(script: str, *extra: str) -> str:
    """Sixteen hex digits over the code that `script` runs."""
    content = sorted((name, _parse(path)[0]) for name, path in modules(script, extra).items())
    return hashlib.sha256(repr(content).encode()).hexdigest()[:16]


@functools.cache
def imported_at_once(script: str, *extra: str) -> frozenset[str]:
    """What every job of `script` imports, whatever it is asked to do: by the script itself, and by modules as they are imported.

    `extra` are modules that it loads by name.
    """
    found: set[str] = set()
    waiting = [*_parse(SCRIPTS / script)[1], *extra]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        path = _file_of(name) if name.startswith("ftbench") else None
        waiting.extend(_parse(path)[2] if path else ())
    return frozenset(found)
