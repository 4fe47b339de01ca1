"""The warehouse made anew from landing: every delivery is read again, and every run's verdicts are taken again."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from data.errors import SourceError
from data.ingest.connected import sources_of
from data.ingest.intake import catch_up
from data.ingest.landing import Landing
from data.ingest.notes import keep_notes
from data.ingest.runs import View
from data.ingest.store import create_store, set_buyer_key
from data.settings import load_settings
from data.verdicts import take_verdicts
from data.warehouse import open_warehouse

__all__ = ["rebuild"]


def rebuild(home: Path) -> dict[str, int]:
    """Make ``warehouse.duckdb`` of a home anew and return how much came back.

    The old file is kept until the new one is complete; a damaged one is no hindrance. The tables of the latest run
    come back with the next run for its date, which publishes the same bytes as before.

    Raises:
        SourceError: landing is empty.
        DataError: a delivery in landing cannot be read by the settings of today; the old file is back then.
    """
    landing = Landing(home)
    ledger = landing.ledger()
    if not ledger:
        raise SourceError(f"{landing.folder} holds no delivery: there is nothing to make a warehouse of")
    path, kept = home / "warehouse.duckdb", home / "warehouse.duckdb.old"
    for name in (path, Path(f"{path}.wal")):
        if name.exists():
            name.replace(Path(str(name).replace(path.name, kept.name)))
    try:
        counts = _filled(home, landing, [line for line in ledger if line["kind"] == "run"])
    except BaseException:
        for name in (path, Path(f"{path}.wal")):
            name.unlink(missing_ok=True)
            old = Path(str(name).replace(path.name, kept.name))
            if old.exists():
                old.replace(name)
        raise
    kept.unlink(missing_ok=True)
    Path(f"{kept}.wal").unlink(missing_ok=True)
    return counts


def _filled(home: Path, landing: Landing, runs: list[dict[str, object]]) -> dict[str, int]:
    settings = load_settings(home)
    with open_warehouse(home) as warehouse, warehouse.transaction():
        connection = warehouse.connection
        set_buyer_key(connection)
        create_store(connection)
        landing.clean()
        sources = sources_of(settings, home=home, run_date=date.min)
        intake = catch_up(connection, sources, landing, shop_timezone=settings.shop.timezone)
        keep_notes(connection, intake.notes, run_date=date.min, is_settled=True)  # each for the night it came from
        for line in _last_of_each(runs):
            view = View(int(str(line["watermark"])), bool(line["is_restated"]))
            run_date = date.fromisoformat(str(line["run_date"]))
            take_verdicts(connection, intake.sightings, settings=settings, run_date=run_date, view=view)
        return {"files": intake.files_new, "rows_in": intake.rows_in, "runs": len(_last_of_each(runs))}


def _last_of_each(runs: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return the last line of each run date, in the order in which the dates first ran."""
    return list({str(line["run_date"]): line for line in runs}.values())
