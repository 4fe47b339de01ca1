"""What a planner does with the published pages of a run, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

PAGES = ("restock", "prices", "accuracy", "trends", "quality")


def open_all(open_page, reports: Path) -> None:
    """Open every page in both languages; ``open_page`` fails on console errors and on requests that leave the file."""
    other = "en" if (reports / "restock.en.html").is_file() else "zh"
    for name in PAGES:
        for ending in ("html", f"{other}.html"):
            page = open_page(reports / f"{name}.{ending}")
            assert page.locator("h1").inner_text()
            assert page.evaluate("document.documentElement.scrollWidth") <= 1440, f"{name}.{ending} hangs over"


def use_restock(open_page, run: Path, page_name: str) -> None:
    """Search a line, unfold it, sort, follow a link to it, print, and look for the way to the other language."""
    plan = pd.read_parquet(run / "tables" / "restock_plan.parquet")
    sku = plan.sort_values("rank").iloc[0]["sku"]
    page = open_page(run / "reports" / page_name)
    page.fill("#search", sku)
    page.locator("#list tbody tr[data-i]", has_text=sku).first.wait_for()
    page.locator("#list button.unfold", has_text=sku).first.click()
    page.locator("#list tr.detail .panel svg.fan").first.wait_for()
    page.locator("#list thead th button").first.click()
    linked = open_page(run / "reports" / page_name, f"#sku={sku}")
    linked.locator("tr.detail .panel").first.wait_for()
    assert linked.locator("tr.detail h3").first.inner_text().startswith(sku)
    assert linked.pdf(format="A4", landscape=True).startswith(b"%PDF")
    assert (run / "reports" / str(page.locator("a.language").get_attribute("href"))).is_file()
