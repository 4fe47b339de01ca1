"""Writes ``published/index.html`` (and its other language) from the published runs. Never fails a run."""

from __future__ import annotations

import json
import logging
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq

from data.publish.durable import sync, write_text
from data.publish.layout import date_of, linked_runs, run_folders
from data.settings import Settings, load_settings
from reporting.catalogue import LANGUAGES
from reporting.headline import to_order
from reporting.index_page import CHANGES, RunEntry, index_html, index_name

__all__ = ["index_pages", "run", "run_entry"]

log = logging.getLogger(__name__)


def run(home: Path, run_date: date) -> dict[str, int]:
    """Write the index pages and return runs read and pages written; a page that would not change is left alone.

    A failure is logged and shown as no page written: what was published stands, with the index of the run before.
    """
    try:
        settings = load_settings(home)
        pages = index_pages(home, settings)
        written = [name for name, text in pages.items() if _replace(home / "published" / name, text)]
        return {"rows_in": len(linked_runs(home)), "rows_out": len(written)}
    except Exception:  # whatever it is: the plan is published, and a missing link must not turn the night red
        log.exception("the index of published runs was not renewed after the run for %s", run_date)
        return {"rows_in": 0, "rows_out": 0}


def index_pages(home: Path, settings: Settings) -> dict[str, str]:
    """Return the index pages by file name, in both languages."""
    versions = Counter(date_of(folder) for folder in run_folders(home))
    runs = [run_entry(folder, versions=versions[day]) for day, folder in linked_runs(home).items()]
    main = settings.shop.language
    return {
        index_name(language, main_language=main): index_html(
            runs,
            shop=settings.shop.name,
            currency=settings.shop.currency,
            language=language,
            main_language=main,
            expected_days=1 if settings.planning.freq == "D" else 7,
        )
        for language in LANGUAGES
    }


def run_entry(folder: Path, *, versions: int = 1) -> RunEntry:
    """Return what the index says about the run in ``folder``, from its manifest and its published tables."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    columns = ["order_qty", "order_value", "status", "action"]
    plan = pq.read_table(folder / "tables" / "restock_plan.parquet", columns=columns).to_pandas()
    changes = Counter(
        pq.read_table(folder / "tables" / "plan_changes.parquet", columns=["change"])["change"].to_pylist()
    )
    ordered = plan[to_order(plan)]
    value = sum((v for v in ordered["order_value"] if v is not None), Decimal(0))
    reports = folder / "reports"
    return RunEntry(
        run_date=date_of(folder),
        checks={status: int(manifest["checks"].get(status, 0)) for status in ("pass", "warn", "fail")},
        lines_to_order=len(ordered),
        order_value=float(value),
        expedite=int((plan["action"] == "expedite").sum()),
        changes={change: changes.get(change, 0) for change in CHANGES},
        files=frozenset(path.name for path in reports.iterdir()) if reports.is_dir() else frozenset(),
        versions=versions,
    )


def _replace(path: Path, text: str) -> bool:
    """Put ``text`` in the place of a file by one rename, after it is on the disk; return whether it changed."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    draft = path.with_name(f".{path.name}.part")
    write_text(draft, text)
    draft.replace(path)
    sync(path.parent)
    return True
