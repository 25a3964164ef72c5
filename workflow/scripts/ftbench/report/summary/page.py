"""The summary's page: the answer first, then what it rests on. It computes nothing: every number is in a file that it names."""

from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from ftbench.base.files import read_json, write_text
from ftbench.report.layout.formats import percent
from ftbench.report.layout.frames import read_table
from ftbench.report.result.comparison_table import detectable_note
from ftbench.report.summary import failings, sentences, tables
from ftbench.report.summary.bars import bars
from ftbench.report.summary.facts import Facts, read_facts
from ftbench.report.summary.page_script import SCRIPT
from ftbench.report.summary.page_style import STYLE
from ftbench.report.summary.page_template import TEMPLATE
from ftbench.report.summary.records import records
from ftbench.report.summary.sizes import sizes


def summary_page(root, datasets: list[str], limits: list[dict], out, sliced: list[str] = ()) -> None:
    """Write the summary of a study, one HTML file that needs no other and no network.

    `root` is the study's folder: study.json, environment.json, tables/, plots/ and each data set's audit are read in it, and the
    page's links lead into it. `datasets` are those to report at length, `limits` those of `ftbench.study.inputs.limits`,
    `sliced` the data sets that have slices.
    """
    root = Path(root)
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True).from_string(TEMPLATE)
    write_text(
        out,
        page.render(
            study=read_json(root / "study.json")["study"],
            style=Markup(STYLE),
            script=Markup(SCRIPT),
            parts=[_part(root, limits, place, facts) for place, facts in enumerate(read_facts(root, datasets, sliced))],
            records=records(root),
        ),
    )


def _part(root: Path, limits: list[dict], place: int, facts: Facts) -> dict:
    """What the template shows of one data set."""
    whole, differences = (read_table(root / "tables" / f"{name}.csv") for name in ("comparison", "differences"))
    return {
        "facts": facts,
        "anchor": f"data-set-{place + 1}",
        "headline": sentences.headline(facts),
        "accuracy": percent(facts.best.row["accuracy_mean"]) if facts.best else "",
        "answer": sentences.answer(facts),
        "bars": bars(facts.cells),
        "sizes": sizes(root, limits, facts.dataset),
        "comparison": tables.comparison(facts),
        "glossary": tables.glossary(facts),
        "worst_classes": tables.worst_classes(facts),
        "confused": tables.confused_pairs(facts),
        "slices": failings.slices(facts) if len(facts.slices) else [],
        "mistakes": failings.mistakes(facts),
        "faults": failings.faults(facts),
        "budgets": tables.budgets(facts),
        "changes": sentences.changes(facts, detectable_note(whole, differences, facts.dataset)),
    }
