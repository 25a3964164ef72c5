"""Make the pictures of the pages from a finished demo study: `make figures`. A test holds the pages to the names below.

docs/figures has the study's own plots. Those of docs/findings.md are made anew where that study, of 40 minutes and real images, lies in
results/findings. docs/summary.png is the head of its summary, in a headless Chromium; where none is installed it stays
as it is, and a sentence says so.
"""

import contextlib
import os
import shutil
import sys
from pathlib import Path

from ftbench.base.errors import InputError
from ftbench.base.files import atomic_write

ROOT = Path(__file__).parents[5]
DATASET, FAMILY = "digits-64", "digits"  # the demo's largest training set, and what the sizes are sizes of
OF_DATASET = (
    "accuracy",
    "pareto",
    "per_class",
    "confusion",
    "mistakes",
    "learning_curves",
    "tuning",
    "augmentations",
    "reliability",
    "risk_coverage",
    "montage",
)
# picture of docs/: plot of the study
PLOTS = {f"figures/{name}.svg": f"plots/{DATASET}.{name}.svg" for name in OF_DATASET}
PLOTS["figures/training_size.svg"] = f"plots/{FAMILY}.training_size.svg"
FINDINGS = {
    f"figures/findings.{name}.svg": f"plots/cifar10.{name}.svg" for name in ("accuracy", "pareto", "robustness")
}
SUMMARY = "summary.png"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# A container's root has no sandbox, and its /dev/shm is small.
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
WIDTH, MARGIN = 1280, 8  # pixels


def make(study: Path, docs: Path) -> list[str]:
    """Write every picture into `docs` and return their names, that of the summary only where a browser is installed.

    Raises InputError before anything is written if the study lacks one.
    """
    needed = [*PLOTS.values(), "summary.html"]
    missing = next((name for name in needed if not (study / name).is_file()), None)
    if missing:
        raise InputError(f"{study} has no {missing}; run `make demo` first, or `make figures`, which does.")
    made = _copied(PLOTS, study, docs)
    with browser() as opened:
        if opened is not None:
            _write(docs / SUMMARY, screenshot(opened, study / "summary.html"))
            made.append(SUMMARY)
    return made


def of_findings(study: Path, docs: Path) -> list[str]:
    """The pictures of docs/findings.md from its finished study; nothing where it lacks one."""
    whole = all((study / plot).is_file() for plot in FINDINGS.values())
    return _copied(FINDINGS, study, docs) if whole else []


def _copied(plots: dict[str, str], study: Path, docs: Path) -> list[str]:
    for picture, plot in plots.items():
        _write(docs / picture, (study / plot).read_bytes())
    return list(plots)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path, noted=False) as temporary:
        temporary.write_bytes(data)


@contextlib.contextmanager
def browser():
    """A headless Chromium or Chrome for `with`: the one that FTBENCH_BROWSER names, else one that is installed, else None.

    Raises InputError if the one that is named does not exist.
    """
    named = os.environ.get("FTBENCH_BROWSER")
    path = shutil.which(named) if named else next(filter(None, map(shutil.which, BROWSERS)), None)
    if named and not path:
        raise InputError(f"FTBENCH_BROWSER={named} does not exist; name an installed Chromium or Chrome.")
    if path is None:
        yield None
        return
    from playwright.sync_api import sync_playwright  # the tests' own driver of a browser

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield opened
        finally:
            opened.close()


def screenshot(opened, summary: Path) -> bytes:
    """The head of a summary as PNG: its answer and the bars of its cells."""
    page = opened.new_page(viewport={"width": WIDTH, "height": 720})
    try:
        page.goto(summary.resolve().as_uri())
        page.locator("body[data-ready=true]").wait_for()
        shown = page.locator("section").first.locator(".bars, .answer").all()
        low = max(box["y"] + box["height"] for box in (one.bounding_box() for one in shown) if box)
        return page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": WIDTH, "height": low + MARGIN})
    finally:
        page.close()


def main() -> int:
    try:
        made = make(ROOT / "results" / "demo", ROOT / "docs")
        found = of_findings(ROOT / "results" / "findings", ROOT / "docs")
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{len(made) + len(found)} pictures: docs/figures/*.svg" + f", docs/{SUMMARY}" * (SUMMARY in made))
    if not found:
        print(
            "docs/figures/findings.*.svg stay as they are: run `make study CONFIG=config/findings.yaml` for new ones."
        )
    if SUMMARY not in made:
        print(f"docs/{SUMMARY} stays as it is: no browser is installed ({', '.join(BROWSERS)}); install one, or name it in FTBENCH_BROWSER.")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
