"""The reports at size: how long a page of 5,000 and of 50,000 lines takes to write, to open, to search and to unfold.

    python -m benchmarks.reports [lines ...]

The runs are those of the report tests, seeded; the browser is Debian's Chromium. Seconds depend on the machine: the
ratio to loading an empty page in the same browser stands beside them.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY)]

from reporting.config import ReportingConfig  # noqa: E402
from reporting.step import write_reports  # noqa: E402

CHROMIUM = "/usr/bin/chromium"
DRAWN = "document.querySelectorAll('#list tbody tr[data-i]').length"
SEARCH = """(text) => new Promise((done) => {
  const from = performance.now(), box = document.getElementById("search");
  box.value = text;
  box.dispatchEvent(new Event("input"));
  const found = document.getElementById("found");
  const wait = () => found.textContent ? done(performance.now() - from) : setTimeout(wait, 5);
  wait();
})"""
UNFOLD = """() => new Promise((done) => {
  const from = performance.now();
  document.querySelector("button.unfold").click();
  const wait = () => document.querySelector("tr.detail .panel") ? done(performance.now() - from) : setTimeout(wait, 5);
  wait();
})"""


def shop():
    """The generators of the report tests."""
    spec = importlib.util.spec_from_file_location("report_shop", REPOSITORY / "tests" / "reporting" / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def measure(lines: int, folder: Path) -> None:
    """Write the reports of a run of so many lines and drive the restock page."""
    made = shop()
    tables = made.make_run(lines)
    started = time.perf_counter()
    marks: list[float] = []
    write_reports(
        folder,
        tables=tables,
        facts=made.facts(),
        main_language="zh",
        config=ReportingConfig(),
        advance=lambda: marks.append(time.perf_counter()),
    )
    written = time.perf_counter() - started
    sizes = {name: (folder / name).stat().st_size / 2**20 for name in ("restock.html", "restock.xlsx")}
    print(
        f"{lines:,} lines: pages in both languages and workbook {written:.1f} s, workbook {marks[-1] - marks[-2]:.1f} s"
    )
    print("  " + ", ".join(f"{name} {size:.1f} MB" for name, size in sizes.items()))
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        (folder / "empty.html").write_text("<!DOCTYPE html><title>empty</title>", encoding="utf-8")
        started = time.perf_counter()
        page.goto((folder / "empty.html").as_uri())
        empty = time.perf_counter() - started
        started = time.perf_counter()
        page.goto((folder / "restock.html").as_uri())
        drawn = page.evaluate(DRAWN)
        opened = time.perf_counter() - started
        found = page.evaluate(SEARCH, "bdg-000")
        page.fill("#search", "")
        unfolded = page.evaluate(UNFOLD)
        browser.close()
    print(f"  opened in {opened:.2f} s ({opened / empty:.0f} times an empty page), {drawn} rows drawn in the list")
    print(f"  search {found:.0f} ms, first line unfolded {unfolded:.0f} ms")


def main() -> None:
    """Measure each size in a folder of its own."""
    for lines in [int(a) for a in sys.argv[1:]] or [5_000, 50_000]:
        with tempfile.TemporaryDirectory() as folder:
            measure(lines, Path(folder))


if __name__ == "__main__":
    main()
