"""axe-core on every page: no failure of WCAG 2.2 AA, light and dark, wide and narrow, everything unfolded."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
LOOKS = [(1440, "light"), (390, "dark")]
RUN = """async (tags) => (await axe.run(document, {runOnly: {type: "tag", values: tags}})).violations
  .map((v) => v.id + ": " + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 120)).join(" | "))"""


@pytest.fixture(scope="session")
def axe():
    package = pytest.importorskip("axe_playwright_python", reason="needs axe-playwright-python, which holds axe-core")
    return (Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def few_lines(shop, tmp_path_factory):
    """The pages of a small run: axe looks at every element."""
    from reporting.step import write_reports

    folder = tmp_path_factory.mktemp("few")
    write_reports(folder, tables=shop.make_run(40), facts=shop.facts(), main_language="zh", config=shop.config)
    return folder


@pytest.mark.parametrize("name", ["restock", "prices", "accuracy", "trends", "quality"])
@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_axe_finds_no_failure(browser, axe, few_lines, name, width, scheme):
    language = ".en" if scheme == "dark" else ""
    # The page's own policy forbids foreign scripts, axe's too; everything else is as a reader has it.
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto((few_lines / f"{name}{language}.html").as_uri())
    unfold = page.locator("section.group button.unfold")
    if unfold.count():
        unfold.first.click()
        page.locator("tr.detail .panel").wait_for()
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    page.evaluate(axe)
    assert page.evaluate(RUN, TAGS) == []
    context.close()
