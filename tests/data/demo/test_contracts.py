"""Every drop file follows its contract, settings load, and nothing is known too early."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from data.contracts import INPUTS, TABLES
from data.settings import load_settings

WRITTEN = [t.name for t in INPUTS if t.name != "period_sales"]
EXTRA = {"utm_source"}  # a new column, as the ledger says


def header_of(written, path) -> list[str]:
    if path.suffix == ".parquet":
        return (
            pl.read_parquet_schema(path).names()
            if hasattr(pl.read_parquet_schema(path), "names")
            else list(pl.read_parquet_schema(path))
        )
    return written.records(path)[0]


@pytest.mark.parametrize("table", WRITTEN)
def test_every_file_has_the_contracts_columns(written, table):
    contract = TABLES[table]
    files = written.files(table)
    assert files
    for path in files:
        columns = header_of(written, path)
        assert set(columns) - EXTRA <= set(contract.names), path.name
        assert set(contract.required) <= set(columns), path.name


@pytest.mark.parametrize("table", WRITTEN)
def test_clean_rows_are_complete_and_their_keys_unique(small, table):
    contract, frame = TABLES[table], small.clean(table)
    required = [c for c in contract.required if c in frame.columns]
    assert frame.select(required).null_count().sum_horizontal()[0] == 0
    if table in {"products", "supply_terms", "bom", "purchase_orders", "preorder_campaigns", "preorders"}:
        return  # snapshots repeat their keys; preorders hold planted twins
    key = [c for c in contract.key if c in frame.columns]
    assert frame.select(key).is_duplicated().sum() == 0


def test_settings_load_and_every_source_finds_its_files(written):
    settings = load_settings(written.home)
    assert settings.planning.default_run_date is not None
    assert settings.planning.default_run_date.isoformat() == written.summary.run_date
    assert (settings.shop.language, settings.shop.timezone, settings.shop.currency) == ("zh", "Asia/Shanghai", "CNY")
    assert set(settings.sources) == set(WRITTEN)
    for table, specs in settings.sources.items():
        found = {p for spec in specs for p in written.home.glob(str(spec.path))}
        assert found == set(written.files(table)), table
        assert all(spec.kind == "file" for spec in specs)
        instants = {c.name for c in TABLES[table].columns if c.dtype == "timestamp"}
        if instants - {"available_at"}:
            csv_specs = [s for s in specs if not str(s.path).endswith(".parquet")]
            assert all(s.timezone == "Asia/Shanghai" for s in csv_specs), table


def test_run_date_is_an_order_date(written):
    settings = load_settings(written.home)
    assert settings.calendar(settings.planning.default_run_date).is_order_date


def test_planners_files_follow_the_contract(written):
    header, rows = written.records(written.home / "overrides.csv")
    assert header == [
        "kind", "sku", "location_id", "from_date", "to_date", "operation", "value", "reason", "role", "expires_date",
    ]  # fmt: skip
    assert {r[0] for r in rows} == {"forecast", "order", "price"}
    assert {r[5] for r in rows} <= {"set", "multiply", "add"}
    assert all(len(r[7]) >= 10 for r in rows)
    known = set(written.clean("products")["sku"])
    assert all(r[1] in known for r in rows)
    header, rows = written.records(written.home / "holds.csv")
    assert header == ["scope", "id", "reason", "expires_date"]
    assert {r[0] for r in rows} <= {"shop", "supplier", "sku"}


@pytest.mark.parametrize(
    ("table", "column"),
    [("order_lines", "ordered_at"), ("returns", "returned_at"), ("stock", "as_of_date"), ("receipts", "received_date"),
     ("preorders", "placed_at"), ("prices", "from_date"), ("signals", "date"), ("site_traffic", "date"),
     ("competitor_prices", "date"), ("campaign_events", "at"), ("fx_rates", "date"), ("purchase_orders", "as_of_date")],
)  # fmt: skip
def test_no_data_after_the_run_date(written, table, column):
    assert str(written.clean(table)[column].max())[:10] <= written.summary.run_date


def test_the_future_is_announced(full):
    day = full.summary.run_date
    assert (full.clean("planned_prices")["from_date"] > day).all()
    assert full.clean("weather")["date"].max() == "2026-07-13"
    ahead = full.clean("events").filter(pl.col("starts_date") > day)
    assert {"sale", "convention", "holiday", "season"} <= set(ahead["kind"])
    assert full.clean("supplier_calendar")["closed_from_date"].max() > "2027-02-01"
    coming = full.clean("products").filter(pl.col("launch_date") > day)
    assert coming["sku"].n_unique() >= 30


def test_signals_are_known_after_their_day_and_some_late(full):
    signals = full.clean("signals")
    known = signals["available_at"].str.replace("Z", "").str.replace("T", " ").str.slice(0, 19)
    wait = (known.str.to_datetime() - signals["date"].str.to_datetime()).dt.total_hours()
    assert wait.min() >= 15  # 23:30 in Shanghai at the earliest
    assert 0.01 < (wait > timedelta(days=2).total_seconds() / 3600).mean() < 0.03


def test_a_run_some_weeks_earlier_finds_its_snapshots(full):
    for table in ("products", "supply_terms", "bom", "preorder_campaigns", "purchase_orders", "batch_tiers"):
        assert any("2026-05-31" in p.name for p in full.files(table)), table
