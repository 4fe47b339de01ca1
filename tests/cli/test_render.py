"""What machines read: decimals and dates as strings, nothing where nothing is; and what people see of a text."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pandas as pd

from cli.render import print_json, print_rows, print_table

ROWS = pd.DataFrame(
    {
        "sku": ["A", None],
        "order_value": [Decimal("10.5000"), None],
        "order_by_date": [date(2026, 6, 28), None],
        "order_qty": pd.array([3, None], dtype="Int64"),
        "share": [0.25, float("nan")],
        "flags": [["new_item", "capped"], []],
        "started_at": pd.to_datetime(["2026-06-28T02:30:00Z", None]),
        "must_tell": [True, False],
    }
)


def test_decimals_and_dates_are_strings_and_missing_values_null(capsys):
    print_json(ROWS)
    first, second = json.loads(capsys.readouterr().out)
    assert first == {
        "sku": "A",
        "order_value": "10.5000",
        "order_by_date": "2026-06-28",
        "order_qty": 3,
        "share": 0.25,
        "flags": ["new_item", "capped"],
        "started_at": "2026-06-28T02:30:00+00:00",
        "must_tell": True,
    }
    assert second == dict.fromkeys(ROWS.columns) | {"flags": [], "must_tell": False}


def test_several_tables_are_one_object(capsys):
    print_rows({"restock_plan": ROWS[["sku"]], "forecasts": ROWS[["sku"]].head(0)})
    assert json.loads(capsys.readouterr().out) == {"restock_plan": [{"sku": "A"}, {"sku": None}], "forecasts": []}


def test_no_text_of_a_table_moves_the_cursor(capsys):
    print_table(pd.DataFrame({"title": ["a\x1b[2Jb", "1234"], "value": [1234.5, None]}), ["title", "value"], title="t")
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "a[2Jb" in shown
    assert "1,234.50" in shown
