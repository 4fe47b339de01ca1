"""The checks that the demand step asks: a planted fault turns each of them red."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from demand.lines import LineBook
from demand.step import _check_units, _report_exclusions

HISTORY = pl.DataFrame(
    {
        "sku": ["A", "B"],
        "location_id": ["main"] * 2,
        "ds": ["2026-03-01"] * 2,
        "gross_units": [5.0, 3.0],
        "cancelled_units": [1.0, 0.0],
        "excluded_units": [0.0, 1.0],
        "units": [4.0, 2.0],
        "return_receipts": [1.0, 0.0],
    }
)


class Asked:
    """Notes down what a step asks."""

    def __init__(self) -> None:
        self.red: dict[str, int] = {}

    def check(self, name: str, **told: Any) -> None:
        self.red[name] = told["failed"]


def book(*, sold: float = 8.0, returned: float = 1.0, matched: float = 1.0, excluded: tuple[str, ...] = ()) -> LineBook:
    lines = [f"L{i}" for i in range(len(excluded))]
    return LineBook(
        book=pl.DataFrame({"gross": [sold]}),
        events=pl.DataFrame({"units": [returned]}),
        matched=pl.DataFrame({"units": [matched]}),
        excluded=pl.DataFrame(
            {"order_line_id": lines, "units": [1.0] * len(lines), "reason": list(excluded)},
            schema={"order_line_id": pl.String, "units": pl.Float64, "reason": pl.String},
        ),
        shipped=pl.DataFrame(),
    )


def units_checked(history: pl.DataFrame, lines: LineBook) -> dict[str, int]:
    asked = Asked()
    _check_units(asked, history, lines)  # type: ignore[arg-type]
    return asked.red


def test_a_sound_history_is_green():
    assert units_checked(HISTORY, book()) == {"units_add_up": 0, "lines_all_counted": 0}


@pytest.mark.parametrize("units", [[4.0, 2.5], [4.0, -2.0]])
def test_units_that_do_not_add_up_are_red(units):
    assert units_checked(HISTORY.with_columns(units=pl.Series(units)), book())["units_add_up"] == 1


@pytest.mark.parametrize("lost", [{"sold": 9.0}, {"returned": 2.0}])
def test_units_of_lines_that_are_missing_in_the_history_are_red(lost):
    assert units_checked(HISTORY, book(**lost))["lines_all_counted"] == 1


def test_returns_without_a_sale_and_excluded_lines_are_counted():
    asked = Asked()
    _report_exclusions(asked, book(returned=5.0, matched=2.0, excluded=("spike", "brushing_ring")))  # type: ignore[arg-type]
    assert asked.red["RETURN_UNMATCHED"] == 3
    assert (asked.red["excluded_spike"], asked.red["excluded_brushing_ring"]) == (1, 1)
    asked = Asked()
    _report_exclusions(asked, book())  # type: ignore[arg-type]
    assert set(asked.red.values()) == {0}
