"""Which rows the run for D condemns, and which it acquits: what can be said of a row only in the light of others."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import duckdb

from data.contracts import TABLES, Table
from data.ingest.accounts import (
    find_excess_returns,
    find_unknown_campaigns,
    find_unknown_skus,
    settle_quarantine,
)
from data.ingest.landing import Sighting
from data.ingest.products import non_products
from data.ingest.repairs import show_repairs
from data.ingest.runs import View
from data.ingest.store import among_deliveries, raw_name
from data.ingest.versions import VisibleDelivery, visible_deliveries
from data.settings import Settings
from data.sql.staging import create_visible, stage_table

__all__ = ["STAGED_FIRST", "find_known_skus", "find_non_products", "left_out", "see_deliveries", "take_verdicts"]

STAGED_FIRST = ("products", "returns")  # sales are judged by them
_SOLD = ("order_lines", "period_sales", "returns")


def see_deliveries(
    connection: duckdb.DuckDBPyConnection,
    sightings: Iterable[tuple[Sighting, int]],
    *,
    settings: Settings,
    run_date: date,
    view: View,
) -> list[VisibleDelivery]:
    """Create the temporary table ``visible`` and return what it holds: the deliveries that the run may see."""
    visible = visible_deliveries(sightings, run_date=run_date, view=view, zone=settings.zone)
    delays = {(t, s.name or t): s.delay_days for t, specs in settings.sources.items() for s in specs}
    create_visible(connection, visible, delays=delays)
    return visible


def find_non_products(connection: duckdb.DuckDBPyConnection, settings: Settings) -> tuple[list[str], int]:
    """Create ``not_products``: codes booked like products that are none. Returns them, and how many were seen."""
    globs = [g for specs in settings.sources.values() for s in specs for g in s.not_products]
    seen = dict(connection.execute("select table_name, list(delivery_id) from visible group by 1").fetchall())
    union = " union ".join(
        f"select distinct r.sku from {raw_name(t)} r where {among_deliveries(connection, t, seen.get(t.name, []))}"
        for t in map(TABLES.__getitem__, (*_SOLD, "products"))
    )
    skus = [row[0] for row in connection.execute(f"select sku from ({union}) order by sku").fetchall()]
    found = non_products(skus, globs)
    connection.execute("create or replace temp table not_products as select unnest(?::varchar[]) as sku", [found])
    return found, len(skus)


def find_known_skus(connection: duckdb.DuckDBPyConnection, run_date: date) -> int:
    """Create ``known_skus``: every SKU of any product delivery up to D. Returns their number."""
    connection.execute(
        "create or replace temp table known_skus as select distinct r.sku from raw_products r join visible v using "
        "(delivery_id) "
        f"where coalesce(r.as_of_date, v.snapshot_date) <= date '{run_date}' union select sku from stg_products"
    )
    return int(connection.execute("select count(*) from known_skus").fetchall()[0][0])


def left_out(table: Table) -> list[str]:
    """Return the conditions on a raw row ``r`` of ``table`` under which the run leaves it out."""
    without = []
    if table.name in ("order_lines", "period_sales"):
        without.append("r.sku in (select sku from unknown_skus)")
    if table.name == "returns":
        without.append("(r.delivery_id, r.row_number) in (select delivery_id, row_number from excess_returns)")
    if table.name == "preorders":
        without.append("(r.delivery_id, r.row_number) in (select delivery_id, row_number from unknown_campaigns)")
    if table.name == "order_lines":
        without.append("(r.delivery_id, r.row_number) in (select delivery_id, row_number from returned_twice)")
    return without


def take_verdicts(
    connection: duckdb.DuckDBPyConnection,
    sightings: Iterable[tuple[Sighting, int]],
    *,
    settings: Settings,
    run_date: date,
    view: View,
) -> None:
    """Bring the quarantine to where the run for ``run_date`` left it, without the rest of its night."""
    show_repairs(connection, watermark=view.watermark)
    see_deliveries(connection, sightings, settings=settings, run_date=run_date, view=view)
    find_non_products(connection, settings)
    find_excess_returns(connection)
    find_unknown_campaigns(connection, run_date)
    period_days = settings.calendar(run_date).period_days
    table = TABLES["products"]
    stage_table(connection, table, run_date=run_date, zone=settings.shop.timezone, period_days=period_days)
    known = find_known_skus(connection, run_date)
    find_unknown_skus(connection, has_products=bool(known) and "products" in settings.sources)
    settle_quarantine(connection, run_date=run_date)
