"""The report in a real browser: nothing on the console, every category filled, every figure and table visible and usable.

FTBENCH_BROWSER names the browser (Chromium or Chrome); without it the usual names are looked for, and where none is installed the
tests are skipped. A browser that is named but missing is a failure.
"""

import io
import re
import zipfile

import pytest
from PIL import Image

from ftbench.tools.documents import figure_doc

SCREENS = {"laptop": (1366, 768), "phone": (390, 844)}
ALIGNED = """() => {
    const edges = (cells) => [...cells].map((cell) => cell.getBoundingClientRect().left);
    const above = edges(document.querySelectorAll("div.dt-scroll-head th"));
    const below = edges(document.querySelector("div.dt-scroll-body tbody tr").cells);
    return above.length === below.length && above.every((left, k) => Math.abs(left - below[k]) < 2);
}"""
SHOWN = "iframe, img[src*='/raw/']"  # the result that is open
CATEGORIES = [
    "0 Answer",
    "1 Data",
    "2 Protocol",
    "3 Result",
    "4 Classes",
    "5 Uncertainty",
    "6 Cost",
    "7 Recommendation",
    "8 Provenance",
]


@pytest.fixture(scope="module")
def browser():
    with figure_doc.browser() as opened:
        if opened is None:
            names = ", ".join(figure_doc.BROWSERS)
            pytest.skip(f"no browser is installed ({names}): install chromium, or name one in FTBENCH_BROWSER")
        yield opened


@pytest.fixture(scope="module")
def report(finished, tmp_path_factory):
    """The unpacked report of a copy that has results and nothing else, as `make report` would write it elsewhere."""
    clone = finished.clone.copy_to(tmp_path_factory.mktemp("browser") / "clone")
    clone.snakemake("--report", "report.zip")
    with zipfile.ZipFile(clone.root / "report.zip") as archive:
        archive.extractall(clone.root)
    return clone.root / "report"


@pytest.fixture(params=SCREENS)
def page(browser, request):
    """A page that fails the test on an error, on a request that fails, and on one that leaves the machine."""
    width, height = SCREENS[request.param]
    opened = browser.new_page(viewport={"width": width, "height": height})
    opened.set_default_timeout(90_000)  # milliseconds; the other core may be training
    wrong = []
    # Snakemake's own page warns of how it loads its styles; that is no error.
    opened.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("request", lambda one: wrong.append(one.url) if re.match("(https?|wss?):", one.url) else None)
    opened.on("requestfailed", lambda one: wrong.append(f"failed: {one.url}"))
    yield opened
    opened.close()
    assert wrong == []


def menu(page, shown: bool) -> None:
    """Open or close the report's menu, which covers most of a phone's screen: its first button opens, its second closes it."""
    page.locator("a[type=button]").nth(0 if shown else 1).click()


def enter(page, category: str) -> None:
    page.get_by_text(category, exact=True).first.click()
    page.locator("tbody tr").first.wait_for()


def open_result(page, button, before: str) -> None:
    """Click until another result than `before` is shown: a page that is still drawing itself loses a click."""
    from playwright.sync_api import TimeoutError as Missed

    other = "([one, before]) => { const now = document.querySelector(one); return now && now.getAttribute('src') !== before; }"
    for last in (False, False, False, True):
        button.click()
        try:
            page.wait_for_function(other, arg=[SHOWN, before], timeout=15_000)
            return
        except Missed:
            if last:
                raise


def drawn(page) -> dict:
    """Width, height and top on the screen of the figure or table that is open, and the width of the window."""
    return page.evaluate(
        """(selector) => {
            const box = document.querySelector(selector).getBoundingClientRect();
            return {width: box.width, height: box.height, top: box.top, window: window.innerWidth};
        }""",
        SHOWN,
    )


def test_every_category_is_filled_and_everything_in_it_is_visible(page, report):
    page.goto((report / "report.html").as_uri())
    opened, before = set(), ""
    for category in CATEGORIES:
        enter(page, category)
        rows = page.locator("tbody tr")
        for number in range(rows.count()):
            options = rows.nth(number).locator("a[type=button]")
            name = f"{category}: {rows.nth(number).inner_text()}"
            open_result(page, options.first, before)
            shown = page.locator(SHOWN)
            before = shown.get_attribute("src")
            opened.add(before.split("/")[-1])
            menu(page, shown=False)  # which leaves a result no room on a phone
            page.wait_for_function(
                "(one) => document.querySelector(one).getBoundingClientRect().width > 250", arg=SHOWN
            )
            box = drawn(page)
            assert 250 < box["width"] <= box["window"] + 1, name
            if shown.first.evaluate("one => one.tagName") == "IFRAME":
                table = page.frame_locator("iframe")
                table.locator("body[data-ready=true]").wait_for()
                if before.endswith("/summary.html"):
                    assert table.locator("h2").first.is_visible() and table.locator(".bar").count() > 2, name
                    assert table.locator("a[data-file][href]").count() == 0, f"{name} links to files that are not here"
                    menu(page, shown=True)
                    continue
                assert table.locator("h1").is_visible(), name
                assert table.locator("div.dt-container tbody tr").count() > 0, name
                assert table.locator("div.dt-search input").is_visible(), name
                page.query_selector("iframe").content_frame().wait_for_function(
                    ALIGNED
                )  # the menu has just made room: the headings stay above their columns
            else:
                page.wait_for_function("(one) => document.querySelector(one).naturalWidth > 0", arg=SHOWN)
                assert box["height"] > 20, name
                assert box["top"] >= 0, f"{name}: its title is out of sight"
            menu(page, shown=True)
        page.get_by_text("Results", exact=True).first.click()
    assert opened == {path.name for path in (report / "data" / "raw").glob("*/*.*")}


def values(page, column: int) -> list[float]:
    found = page.locator(f"div.dt-container tbody tr td:nth-child({column})")
    return [float(one) for one in found.evaluate_all("cells => cells.map(cell => cell.dataset.order)")]


def test_the_comparison_sorts_by_value_and_filters(page, report):
    page.goto(next((report / "data" / "raw").glob("*/comparison.html")).as_uri())
    page.locator("body[data-ready=true]").wait_for()
    headings = [text.strip() for text in page.locator("div.dt-scroll-head th").all_inner_texts()]
    column = next(number for number, text in enumerate(headings, 1) if text.startswith("Accuracy"))
    before = values(page, column)
    assert len(before) == 7
    heading = page.locator("div.dt-scroll-head th").nth(column - 1)
    heading.scroll_into_view_if_needed()
    heading.locator("button, span.dt-column-title").first.click()
    page.wait_for_function(
        """(column) => {
            const cells = [...document.querySelectorAll(`div.dt-container tbody tr td:nth-child(${column})`)];
            const values = cells.map((cell) => Number(cell.dataset.order));
            return values.every((value, k) => k === 0 || values[k - 1] <= value);
        }""",
        arg=column,
    )
    assert sorted(before) == values(page, column) != before
    rows = page.locator("div.dt-container tbody tr")
    page.locator("div.dt-search input").fill("scratch")
    page.wait_for_function("document.querySelectorAll('div.dt-container tbody tr').length === 2")
    assert all("scratch" in text for text in rows.all_inner_texts())
    page.locator("div.dt-search input").fill("")
    page.wait_for_function("document.querySelectorAll('div.dt-container tbody tr').length === 7")
    # The list of a column's values: data set "photos" has one cell.
    first = page.locator("div.dt-scroll-head th").first
    first.scroll_into_view_if_needed()
    first.locator("button").last.click()
    page.get_by_role("button", name="photos").last.click()
    page.wait_for_function("document.querySelectorAll('div.dt-container tbody tr').length === 1")
    assert "photos" in rows.first.inner_text()


def test_the_page_scrolls_down_only_the_table_sideways(page, report):
    for path in sorted((report / "data" / "raw").glob("*/*.html")):
        page.goto(path.as_uri())
        page.locator("body[data-ready=true]").wait_for()
        inner, outer = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert inner <= outer, path.name


def test_the_summary_names_files_that_exist_sorts_and_filters(page, report):
    """In the study's own folder, where its links lead to what it was made from."""
    summary = report.parent / "results" / "tiny" / "summary.html"
    page.goto(summary.as_uri())
    page.locator("body[data-ready=true]").wait_for()
    named = page.locator("a[data-file]").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert len(named) > 20 and [name for name in named if not (summary.parent / name).is_file()] == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    table = page.locator("#data-set-1 .frame").first
    column = 1 + table.locator("th").all_inner_texts().index("Training, per run")
    numbers = "cells => cells.map(cell => Number(cell.dataset.order))"
    before = table.locator(f"td:nth-child({column})").evaluate_all(numbers)
    for wanted in (sorted(before), sorted(before)[::-1]):
        table.locator(f"th:nth-child({column}) button").click()
        assert table.locator(f"td:nth-child({column})").evaluate_all(numbers) == wanted
    page.locator("#data-set-1 input[type=search]").first.fill("TUTORIAL small")
    assert table.locator("tbody tr:visible").count() == 1


def test_the_picture_of_the_summary_is_its_head(browser, report):
    picture = figure_doc.screenshot(browser, report.parent / "results" / "tiny" / "summary.html")
    width, height = Image.open(io.BytesIO(picture)).size
    assert width == figure_doc.WIDTH and 200 < height < 2000


def test_a_table_is_there_without_a_script(browser, report):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(next((report / "data" / "raw").glob("*/comparison.html")).as_uri())
    assert page.locator("tbody tr").count() == 7
    assert page.locator("tbody tr").first.is_visible()
    context.close()
