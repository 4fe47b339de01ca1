"""What leaves the house: types of every column, order, bytes, CSV."""

from __future__ import annotations

import csv
import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.contracts import OUTPUTS, TABLES
from data.errors import DataError
from data.publish import export
from data.publish.export import export_table
from data.warehouse import open_warehouse

D = date(2026, 6, 28)

# Written down from the public contract, not from data.contracts: its words on Parquet types, column by column.
# Whatever is not named here is text.
MONEY = """
    unit_price unit_cost order_value cumulative_value money_at_risk excess_value value freight profit tail_loss
    current_price suggested_price regular_price reference_price profit_change profit_change_p10 profit_change_p90
    competitor_median money_gained gain_if_right cost_if_wrong money gain cost at_price refund_cost
"""
WHOLE = """
    reserved_capacity
    surplus_qty needed_qty rank order_qty packs min_order_qty pack_size override_qty qty qty_before qty_now base_qty
    units_booked
    units_cancelled units_firm identities batch_qty tier_from_qty claimed_qty allocated_qty backlog_qty proposed_qty
    rows_checked rows_failed row_number rows_in rows_loaded rows_quarantined rows_duplicate files_new rows_out
    fallback_level streak_days n_periods n_prices n_series supply_qty ledger_line quantity alerts hits misses pending
    lead_days n_windows n_styles n_products periods block day_of_level
"""
DRIVERS = "level season price event weather heat preorder override total"
FLAGS = "is_washout is_censored is_excluded must_tell use_in_forecast is_reported stock_ok"
LISTS = "flags rule_ids affected_skus sample_keys arms"
NUMBERS = """
    units gross_units returned_units return_receipts in_stock_share excluded_units mean q025 q05 q10 q25 q50 q75 q80 q90
    q95 q975 q99 lead_time_days review_period_days on_hand on_order backorders preorders_open inventory_position
    days_of_cover days_of_cover_with_orders p_stockout_before_receipt p_stockout_if_not_ordered p_stockout_if_ordered
    expected_fill_rate demand_mean demand_p10 demand_p50 demand_p90 order_up_to_level reorder_point safety_stock
    service_level expected_lost_units_avoided expected_excess_units marginal_return forecast_wape forecast_bias
    trigger_units probability forecast_final_p10 forecast_final_p50 forecast_final_p90 p_min_batch_met
    change_percent margin_percent_now margin_percent_new elasticity elasticity_lo elasticity_hi units_now units_new
    p_profit_up age_days exposure effect effect_lo effect_hi heat growth breadth score score_lo score_hi sold_units
    return_rate return_rate_lo return_rate_hi category_rate stockout_rate stockout_rate_lo stockout_rate_hi fill_rate
    wape bias rmsse pinball coverage_80 value_added margin wape_before wape_after seconds peak_memory_mb
    recovered_units p_right stock_units open_order_units extra_demand sales_lift precision precision_lo precision_hi
    median_lead_days strength strength_lo strength_hi gain_percent elsewhere_percent p_value lift lift_lo lift_hi
    q_value p_hit p_hit_lo p_hit_hi base_rate expected_units p_above curvature days_needed
"""


def type_in_the_contract(table: str, name: str) -> pa.DataType:
    if name.startswith("why_") and name not in ("why_from", "why_to"):
        return pa.int64()
    if name == "ds" or name.endswith("_date") or name == "stockout_date_early":
        return pa.date32()
    if name.endswith("_at"):
        return pa.timestamp("us", tz="UTC")
    if table == "forecast_drivers" and name in DRIVERS.split():
        return pa.float64()
    if (table, name) == ("trend_alert_history", "proposed_qty"):
        return pa.float64()  # what would have been proposed, before packs
    if (table, name) == ("quarantine", "value"):
        return pa.string()
    for names, dtype in (
        (MONEY, pa.decimal128(18, 4)),
        (WHOLE, pa.int64()),
        (FLAGS, pa.bool_()),
        (LISTS, pa.list_(pa.string())),
        (NUMBERS, pa.float64()),
    ):
        if name in names.split():
            return dtype
    return pa.string()


@pytest.mark.parametrize("table", OUTPUTS, ids=lambda t: t.name)
def test_every_output_has_the_types_of_the_public_contract_also_when_nobody_wrote_it(home, tmp_path, table):
    with open_warehouse(home) as warehouse:
        export_table(warehouse, table, D, tmp_path)
    schema = pq.read_schema(tmp_path / f"{table.name}.parquet")
    assert schema.names[0] == "run_date"
    assert schema.names == [c.name for c in table.published]
    expected = {name: type_in_the_contract(table.name, name) for name in schema.names}
    found = {field.name: field.type for field in schema}
    assert {n: (found[n], t) for n, t in expected.items() if found[n] != t} == {}
    assert (tmp_path / f"{table.name}.csv").read_text() == ",".join(schema.names) + "\n"


def history(days: int, sku: str = "A", last: date = D) -> list[dict]:
    flags = dict.fromkeys(("is_censored", "is_excluded", "is_closed", "is_gap", "is_partial", "on_promotion"), False)
    return [
        {
            "sku": sku,
            "location_id": "main",
            "ds": last - timedelta(days=n),
            "units": 1.0,
            "unit_price": Decimal(9),
            **flags,
        }
        for n in range(days)
    ]


def test_demand_history_goes_out_for_the_last_400_days_without_internal_columns(home, tmp_path, write_table):
    write_table(home, "demand_history", history(500))
    with open_warehouse(home) as warehouse:
        entries = export_table(warehouse, TABLES["demand_history"], D, tmp_path)
    rows = pq.read_table(tmp_path / "demand_history.parquet").to_pydict()
    assert entries["demand_history.parquet"].rows == 400
    assert (min(rows["ds"]), max(rows["ds"])) == (D - timedelta(days=399), D)
    assert not set(rows) & {"is_gap", "is_closed", "cancelled_units"}


ROWS = [
    {"style_id": style, "regime": regime, "base_qty": n, "profit": Decimal(n) / 8, "probability": n / 7}
    for n, (style, regime) in enumerate((s, r) for s in ("b", "B", "a,1", 'q"', "=1+1", "样") for r in ("cold", "warm"))
]


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.permutations(ROWS), group=st.integers(1, 20))
def test_the_same_rows_give_the_same_bytes_in_whatever_order_they_came(tmp_path_factory, write_table, rows, group):
    files = []
    for case in (ROWS, rows):
        home = tmp_path_factory.mktemp("home")
        write_table(home, "hedge_plan", case)
        with open_warehouse(home) as warehouse, pytest.MonkeyPatch.context() as patch:
            patch.setattr(export, "_ROW_GROUP_ROWS", group)
            export_table(warehouse, TABLES["hedge_plan"], D, home)
        files.append([(home / f"hedge_plan.{kind}").read_bytes() for kind in ("parquet", "csv")])
    assert files[0] == files[1]
    assert pq.ParquetFile(home / "hedge_plan.parquet").num_row_groups == math.ceil(len(ROWS) / group)


def test_rows_are_ordered_by_key_and_money_has_four_decimals(home, tmp_path, write_table):
    write_table(home, "hedge_plan", ROWS[::-1])
    with open_warehouse(home) as warehouse:
        export_table(warehouse, TABLES["hedge_plan"], D, tmp_path)
    rows = pq.read_table(tmp_path / "hedge_plan.parquet").to_pylist()
    keys = [(r["style_id"], r["regime"]) for r in rows]
    assert keys == sorted(keys)  # by code point: the same on every machine
    assert {r["profit"] for r in rows if r["base_qty"] == 1} == {Decimal("0.1250")}
    assert {r["run_date"] for r in rows} == {D}


def test_csv_is_plain_and_complete(home, tmp_path, write_table):
    write_table(
        home,
        "trend_alerts",
        [
            {"element_type": "ip", "element": 'a "b", c', "region": "*", "affected_skus": ["X", "Y"], "reason": "=1+1",
             "started_date": D, "streak_days": None, "evidence": "", "materials": None},
        ],
    )  # fmt: skip
    at = datetime(2026, 6, 28, 1, 2, 3, tzinfo=UTC)
    write_table(home, "run_log", [{"step": "x", "started_at": at, "seconds": 1e-7, "status": "done"}])
    with open_warehouse(home) as warehouse:
        for name in ("trend_alerts", "run_log"):
            export_table(warehouse, TABLES[name], D, tmp_path)
    raw = (tmp_path / "trend_alerts.csv").read_bytes()
    assert b"\r" not in raw
    with (tmp_path / "trend_alerts.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["element"] == 'a "b", c'
    assert row["affected_skus"] == "X;Y"
    assert row["started_date"] == "2026-06-28"
    assert row["streak_days"] == ""
    assert row["reason"] == "=1+1"  # a code of ours: stands as it is
    assert row["evidence"] == row["materials"] == ""
    assert b',"",X;Y,,' in raw  # empty text is quoted, null is not
    log = (tmp_path / "run_log.csv").read_text()
    assert "2026-06-28T01:02:03.000000Z" in log
    assert "1e-7" in log


def test_free_text_cannot_run_in_a_spreadsheet_and_is_intact_in_parquet(home, tmp_path, write_table):
    texts = ["=HYPERLINK(1)", "+cmd", "@x", "-5", "plain", "-tab\t", None]
    rows = [{"override": str(n), "reason": text} for n, text in enumerate(texts)]
    write_table(home, "override_value", rows)
    with open_warehouse(home) as warehouse:
        export_table(warehouse, TABLES["override_value"], D, tmp_path)
    in_csv = pl.read_csv(tmp_path / "override_value.csv", schema_overrides={"reason": pl.String})["reason"].to_list()
    assert in_csv == ["'=HYPERLINK(1)", "'+cmd", "'@x", "-5", "plain", "'-tab\t", None]
    assert pq.read_table(tmp_path / "override_value.parquet")["reason"].to_pylist() == texts


def test_the_csv_of_orders_has_the_names_of_the_erp(home, tmp_path, write_table):
    write_table(
        home, "supplier_orders", [{"supplier_id": "S", "sku": "A", "location_id": "m", "qty": 3, "proposal_id": "p"}]
    )
    with open_warehouse(home) as warehouse:
        export_table(warehouse, TABLES["supplier_orders"], D, tmp_path, csv_names={"qty": "Menge", "sku": "Artikel"})
    header = (tmp_path / "supplier_orders.csv").read_text().splitlines()[0]
    assert header == "run_date,supplier_id,Artikel,location_id,Menge,unit_cost,needed_by_date,proposal_id"
    assert "qty" in pq.read_schema(tmp_path / "supplier_orders.parquet").names


def test_large_tables_have_no_csv(home, tmp_path, write_table, monkeypatch):
    monkeypatch.setattr(export, "CSV_BELOW_ROWS", 3)
    write_table(home, "demand_history", history(3))
    with open_warehouse(home) as warehouse:
        entries = export_table(warehouse, TABLES["demand_history"], D, tmp_path)
    assert list(entries) == ["demand_history.parquet"]


def test_rows_of_another_run_never_go_out(home, tmp_path, write_table):
    write_table(home, "hedge_plan", ROWS, run_date=D - timedelta(days=1))
    with open_warehouse(home) as warehouse, pytest.raises(DataError, match="holds the run for 2026-06-27"):
        export_table(warehouse, TABLES["hedge_plan"], D, tmp_path)
