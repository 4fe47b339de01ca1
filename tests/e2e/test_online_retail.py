"""A real gift shop's daily exports of five months, as they came, over two nights two weeks apart."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pandas as pd
import pytest
from planner_walk import open_all, use_restock

pytestmark = [pytest.mark.e2e, pytest.mark.real_data]

FIRST_EXPORT = "2011-07-01"  # the whole year takes a minute more; tests/data/ingest takes in all 305 files
SETTINGS = """\
shop: {name: Gifts, timezone: Europe/London, currency: GBP, language: en}
sources:
  order_lines:
    kind: file
    path: drop/orders/*.csv.gz
    timezone: Europe/London
    columns:
      ordered_at: InvoiceDate
      sku: StockCode
      quantity: Quantity
      unit_price: UnitPrice
      order_id: InvoiceNo
      buyer_ref: CustomerID
    defaults: {location_id: main}
    not_products: ['POST', 'M', 'BANK CHARGES', 'gift_*']
"""


@pytest.fixture(scope="module")
def shop(real_data: Path, tmp_path_factory: pytest.TempPathFactory, merchcast):
    """The shop after its two nights."""
    home = tmp_path_factory.mktemp("online") / "home"
    drop = home / "drop" / "orders"
    drop.mkdir(parents=True)
    (home / "merchcast.yml").write_text(SETTINGS)
    exports = [p for p in sorted((real_data / "online_retail").glob("*.csv.gz")) if p.name >= FIRST_EXPORT]
    for run_date in ("2011-11-13", "2011-11-27"):
        for path in exports:
            if path.name[:10] <= run_date and not (drop / path.name).exists():
                shutil.copy(path, drop)
        merchcast("run", "--home", str(home), "--date", run_date)
    return home


def table(home: Path, name: str, run: str = "current") -> pd.DataFrame:
    return pd.read_parquet(home / "published" / run / "tables" / f"{name}.parquet")


def test_every_row_of_every_file_is_accounted_for(shop: Path):
    accounts = table(shop, "row_accounts")
    assert (accounts["rows_in"] == accounts[["rows_loaded", "rows_quarantined", "rows_duplicate"]].sum(axis=1)).all()
    for path in (shop / "drop" / "orders").iterdir():
        with gzip.open(path, "rb") as stream:
            records = len(pd.read_csv(stream, dtype=str, keep_default_na=False))
        assert accounts.set_index("file_name").loc[path.name, "rows_in"] == records


def test_the_second_night_takes_in_only_the_new_files(shop: Path):
    log = table(shop, "run_log").set_index("step")
    new = [p for p in (shop / "drop" / "orders").iterdir() if p.name[:10] > "2011-11-13"]
    assert log.loc["ingest", "files_new"] == len(new)


def test_codes_that_are_not_products_are_not_replenished(shop: Path):
    codes = {"POST", "M", "BANK CHARGES", "DOT", "AMAZONFEE"}
    plan, skipped = table(shop, "restock_plan"), table(shop, "not_replenished")
    assert codes.isdisjoint(plan["sku"])
    assert codes <= set(skipped["sku"])


def test_returns_are_booked_as_returns(shop: Path):
    demand = table(shop, "demand_history")
    assert demand["return_receipts"].sum() > 0
    assert demand["returned_units"].sum() > 0
    assert (demand["units"] >= 0).all()


def test_saturdays_are_closed_and_no_gaps(shop: Path):
    forecasts = table(shop, "forecasts")
    saturdays = pd.to_datetime(forecasts["ds"]).dt.dayofweek == 5
    assert (forecasts.loc[saturdays, "mean"] == 0).all()
    demand = table(shop, "demand_history")
    recent = demand[pd.to_datetime(demand["ds"]).dt.dayofweek == 5]
    assert len(recent) > 0
    assert (recent["units"] == 0).all()


def test_hardly_anything_is_called_brushing(shop: Path):
    demand = table(shop, "demand_history")
    called = demand["exclusion_reason"].fillna("").str.contains("brushing")
    assert called.mean() < 0.001


@pytest.mark.browser
def test_a_planner_finds_the_way_through_its_pages(shop: Path, open_page):
    run = shop / "published" / "current"
    open_all(open_page, run.resolve() / "reports")
    use_restock(open_page, run.resolve(), "restock.html")
