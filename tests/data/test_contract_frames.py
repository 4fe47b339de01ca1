"""Frames are brought into their contract's shape, or refused with the place."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from data.contracts import TABLES, TableKind
from data.contracts.frames import arrow_schema, conform, conform_arrow, empty_frame
from data.errors import ContractError

ORDERS = TABLES["supplier_orders"]
ONE_ORDER = {
    "supplier_id": ["S1"],
    "sku": ["A"],
    "location_id": ["main"],
    "qty": [12],
    "unit_cost": [1.23456],
    "needed_by_date": [pd.Timestamp("2026-07-01")],
    "proposal_id": ["p1"],
}


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_every_kind_of_frame_gives_the_same_rows(make):
    arrow = conform_arrow(ORDERS, make(ONE_ORDER))
    row = arrow.to_pylist()[0]
    assert (row["qty"], str(row["unit_cost"]), row["needed_by_date"]) == (12, "1.2346", date(2026, 7, 1))
    assert arrow.schema == arrow_schema(ORDERS, exclude=("run_date",))


def test_columns_come_back_in_contract_order_and_missing_ones_are_null():
    frame = pd.DataFrame({k: ONE_ORDER[k] for k in ("proposal_id", "qty", "location_id", "sku", "supplier_id")})
    conformed = conform(ORDERS, frame)
    assert list(conformed.columns) == [n for n in ORDERS.names if n != "run_date"]
    assert conformed["unit_cost"].isna().all()


def test_an_unknown_column_is_refused_with_a_hint():
    with pytest.raises(ContractError, match="'quantity_'|did you mean"):
        conform(ORDERS, pd.DataFrame({**ONE_ORDER, "unit_costs": [1.0]}))


def test_a_missing_key_column_is_refused():
    with pytest.raises(ContractError, match="missing: \\['sku'\\]"):
        conform(ORDERS, pd.DataFrame(ONE_ORDER).drop(columns="sku"))


def test_a_value_that_does_not_fit_is_refused_with_table_and_column():
    with pytest.raises(ContractError, match="supplier_orders, column qty: expected integer"):
        conform(ORDERS, pd.DataFrame({**ONE_ORDER, "qty": [1.5]}))


def test_an_instant_without_a_timezone_is_refused():
    table = TABLES["stg_campaign_events"]
    with pytest.raises(ContractError, match="without a timezone"):
        conform(table, pd.DataFrame({"campaign_id": ["C"], "state": ["open"], "at": [datetime(2026, 1, 1)]}))
    fine = conform(
        table, pd.DataFrame({"campaign_id": ["C"], "state": ["open"], "at": [datetime(2026, 1, 1, tzinfo=UTC)]})
    )
    assert str(fine["at"].dtype) == "datetime64[ns, UTC]"


def test_nan_is_null_and_never_a_number():
    frame = conform(
        TABLES["series_accuracy"],
        pd.DataFrame(
            {"sku": ["A"], "location_id": ["m"], "wape": [float("nan")], "n_windows": [0], "confidence": ["low"]}
        ),
    )
    assert frame["wape"].isna().all()


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_table_has_an_empty_frame_of_its_own_shape(name: str):
    table = TABLES[name]
    frame = empty_frame(table)
    assert len(frame) == 0
    assert list(frame.columns) == [n for n in table.names if n != "run_date"]
    assert conform(table, frame).dtypes.equals(frame.dtypes)


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_column_says_what_it_means(name: str):
    table = TABLES[name]
    assert table.doc.endswith((".", "?"))
    assert [c.name for c in table.columns if not c.doc] == []


def test_every_output_starts_with_run_date():
    outputs = [t for t in TABLES.values() if t.kind is TableKind.OUTPUT]
    assert outputs
    assert [t.name for t in outputs if t.names[0] != "run_date"] == []
