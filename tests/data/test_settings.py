"""merchcast.yml: what is accepted, and what the message says where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.errors import ConfigError
from data.settings import load_settings

CONTRACT_EXAMPLE = """\
shop: {name: Dimension Shop, timezone: Asia/Shanghai, currency: CNY, language: zh, reference_days: 7, closed_days: []}
planning:
  freq: D
  order_weekdays: [SUN]
  horizon_days: auto
  unmet_demand: lost_sales
  objective: {service_level: 0.95}
  budget: null
  expedite_points: 10
  default_supply: {lead_time_days: 14, lead_time_sd_days: 0, min_order_qty: 1, pack_size: 1}
  default_run_date: null
demand: {exclude_suspicious: true, expected_returns: true}
sources:
  period_sales: {kind: file, path: drop/sales/*.parquet}
  order_lines:
    kind: file
    path: drop/orders/*.csv.gz
    timezone: Europe/London
    columns: {ordered_at: InvoiceDate, sku: StockCode, quantity: Quantity, unit_price: UnitPrice, order_id: InvoiceNo}
    defaults: {location_id: main}
    not_products: ['POST', 'M', 'BANK CHARGES', 'gift_*']
  stock: {kind: sql, connection: shop_db, query: "select * from stock_snapshot where as_of_date = :run_date"}
  signals: {kind: http, connection: trend_api, path: /v1/signals, cursor: next}
connections:
  shop_db: {env: SHOP_DB_URL}
  trend_api: {airflow: trend_api}
"""


def settings_of(tmp_path: Path, text: str):
    (tmp_path / "merchcast.yml").write_text(text, encoding="utf-8")
    return load_settings(tmp_path)


def test_the_example_of_the_contract_is_accepted(tmp_path: Path):
    settings = settings_of(tmp_path, CONTRACT_EXAMPLE)
    assert settings.planning.objective.service_level == 0.95
    assert [s.name for s in settings.sources["order_lines"]] == ["order_lines"]


def test_a_table_may_have_several_named_sources(tmp_path: Path):
    text = "sources:\n  stock:\n    - {path: a.csv}\n    - {name: shop, path: b.csv}\n    - {path: c.csv}\n"
    assert [s.name for s in settings_of(tmp_path, text).sources["stock"]] == ["stock", "shop", "stock_3"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("planing: {}", "planing: unknown key; did you mean 'planning'"),
        ("planning: {freqq: D}", "planning.freqq: unknown key; did you mean 'freq'"),
        ("planning: {freq: W}", "'W' is none of D, W-MON"),
        ("planning: {objective: {service_levl: 0.9}}", "did you mean 'service_level'"),
        ("planning: {objective: {service_level: 95}}", "less than 1"),
        ("planning: {objective: {service_level: 0.9, margin: {annual_holding_rate: 0.2}}}", "exactly one of"),
        ("planning: {objective: {shortage_cost_per_unit: 1.0}}", "go together"),
        ("planning: {order_weekdays: [SONNTAG]}", "SONNTAG"),
        ("planning: {horizon_days: 0}", "between 1 and 730"),
        ("shop: {timezone: Mars}", "no IANA timezone"),
        ("shop: {closed_days: [someday]}", "neither a date"),
        ("sources: {stocks: {path: a}}", "unknown input table 'stocks'; did you mean 'stock'"),
        ("sources: {stock: {pth: a, path: b}}", "did you mean 'path'"),
        ("sources: {stock: {kind: file}}", "needs a path"),
        ("sources: {stock: {kind: sql, connection: db, query: select 1}}", "'db' is not under connections"),
        ("connections: {db: {env: A, airflow: b}}", "exactly one of env and airflow"),
        ("- a\n- b", "expected a mapping"),
        ("shop: {name: a, name: b}", "duplicate key"),
        ("shop: {name: [}", "line 1"),
    ],
)
def test_a_mistake_is_refused_with_its_place_and_a_fix(tmp_path: Path, text: str, message: str):
    with pytest.raises(ConfigError) as caught:
        settings_of(tmp_path, text)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_without_a_settings_file_the_message_says_how_to_make_one(tmp_path: Path):
    with pytest.raises(ConfigError, match="merchcast init"):
        load_settings(tmp_path)
