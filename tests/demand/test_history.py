"""From order lines and period sales to cells: what counts, when, and at what price."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from demand.closed_days import classify_days, classify_periods
from demand.config import DayConfig, DemandConfig
from demand.feed import feed_history
from demand.history import coarsened, coarser_panel, history_frame, price_in_force
from demand.lines import daily_cells, line_book
from demand.panel import Panel, Periods
from demand.parts import feed_part

DAYS = Periods(first=0, days=1)


def panel_of(first, last, keys=(("A", "main"),)):
    frame = pl.DataFrame(list(keys), schema=["sku", "location_id"], orient="row")
    return Panel(frame, np.array(first), np.array(last))


def book_of(make_lines, no_returns, rows, returns=None, **kwargs):
    options = {"timezone": "UTC", "run_day": -1, "exclude_suspicious": True, "config": DemandConfig()} | kwargs
    return line_book(make_lines(rows), no_returns if returns is None else returns, **options)


def test_each_kind_of_line_lands_where_it_belongs(make_lines, no_returns):
    rows = [
        {"at": (-5, 9), "quantity": 3, "unit_price": 10.0},
        {"at": (-5, 10), "quantity": 1, "unit_price": 6.0, "promotion_id": "P1"},
        {"at": (-5, 11), "quantity": 2, "unit_price": 0.0},  # a gift takes stock, and has no price
        {"at": (-5, 12), "quantity": 4, "status": " Cancelled "},
        {"at": (-5, 13), "quantity": 7, "preorder_id": "PRE-1"},
        {"at": (-2, 13), "quantity": -2, "order_id": "O00000"},
    ]
    book = book_of(make_lines, no_returns, rows)
    cells = daily_cells(book, panel_of([-6], [-1]))
    assert cells.gross.tolist() == [0, 10, 0, 0, 0, 0]
    assert cells.cancelled.tolist() == [0, 4, 0, 0, 0, 0]
    assert cells.units.tolist() == [0, 6, 0, 0, 0, 0]
    assert cells.returned.tolist() == [0, 2, 0, 0, 0, 0]
    assert cells.receipts.tolist() == [0, 0, 0, 0, 2, 0]
    assert cells.revenue[1] / cells.priced[1] == (3 * 10 + 6) / 4
    assert cells.on_promotion.tolist() == [False, True, False, False, False, False]
    assert book.shipped["units"].to_list() == [13.0]  # what left the shelf: preorders too, cancelled lines not


def test_returns_of_a_preorder_are_no_returns_of_demand(make_lines, no_returns):
    rows = [
        {"at": (-5, 9), "preorder_id": "PRE-1", "quantity": 2},
        {"at": (-3, 9), "quantity": -2, "order_id": "O00000"},
    ]
    cells = daily_cells(book_of(make_lines, no_returns, rows), panel_of([-6], [-1]))
    assert cells.returned.sum() == 0
    assert cells.receipts.sum() == 2


def test_a_spike_is_capped_and_the_rest_is_excluded_with_its_reason(make_lines, no_returns):
    rows = [{"at": (-20 + i, 9), "quantity": 2} for i in range(19)] + [{"at": (-1, 9), "quantity": 200}]
    book = book_of(make_lines, no_returns, rows)
    panel = panel_of([-20], [-1])
    kinds = classify_periods(
        classify_days(np.arange(-20, 0), last=-1, listed=np.zeros(0, np.int64), config=DayConfig()),
        np.zeros(0, np.int64),
        periods=DAYS,
    )
    frame = history_frame(daily_cells(book, panel), panel, kinds, np.full(20, np.nan), periods=DAYS)
    last = frame.row(-1, named=True)
    assert (last["gross_units"], last["units"], last["excluded_units"]) == (200, 2, 198)
    assert (last["is_excluded"], last["exclusion_reason"]) == (True, "spike")
    assert frame["exclusion_reason"].null_count() == 19
    assert book.excluded.select("units", "reason").rows() == [(198.0, "spike")]


def test_suspicious_orders_stay_where_the_shop_wants_them(make_lines, no_returns):
    rows = [{"at": (-9, 9 + i / 60), "buyer_ref": f"b{i % 4}"} for i in range(40)]
    assert book_of(make_lines, no_returns, rows).excluded.height == 40
    assert book_of(make_lines, no_returns, rows, exclude_suspicious=False).excluded.height == 0


def test_weeks_are_the_sums_of_their_days(make_lines, no_returns):
    rows = [{"at": (d, 9), "quantity": 1 + d % 3, "unit_price": 5.0} for d in range(-16, 0)]
    panel = panel_of([-16], [-1])
    cells = daily_cells(book_of(make_lines, no_returns, rows), panel)
    weeks = Periods(first=0, days=7)
    coarse = coarser_panel(panel, days=DAYS, periods=weeks)
    summed = coarsened(cells, panel, coarse, days=DAYS, periods=weeks, open_day=np.ones(16, bool))
    expected = [sum(1 + d % 3 for d in days) for days in (range(-16, -14), range(-14, -7), range(-7, 0))]
    assert summed.gross.tolist() == expected
    assert (coarse.first[0], coarse.last[0]) == (-3, -1)


def test_a_price_holds_from_its_day_until_the_next():
    prices = pl.DataFrame(
        {"sku": ["A", "A", "B"], "location_id": ["main"] * 3, "from_day": [-9, -3, -2], "price": [5.0, 6.0, 7.0]}
    )
    panel = panel_of([-5, -4, -2], [-1, -1, -1], keys=[("A", "main"), ("B", "main"), ("C", "main")])
    found = price_in_force(prices, panel, DAYS).tolist()
    assert found[:5] == [5, 5, 6, 6, 6]
    assert np.isnan(found[5:7]).all()
    assert found[7:9] == [7, 7]
    assert np.isnan(found[9:]).all()


def test_a_weekly_price_counts_from_the_first_week_that_starts_under_it():
    prices = pl.DataFrame({"sku": ["A"], "location_id": ["main"], "from_day": [-13], "price": [5.0]})
    found = price_in_force(prices, panel_of([-3], [-1]), Periods(first=0, days=7))
    assert np.isnan(found[:2]).all()
    assert found[2] == 5.0


def feed_of(rows, *, n_keys=1, **columns):
    """Rows are (series, index, units)."""
    frame = pl.DataFrame(rows, schema={"series": pl.Int32, "index": pl.Int32, "units": pl.Float64}, orient="row")
    empty = {"unit_price": pl.Float64, "in_stock": pl.Boolean, "stockout_share": pl.Float64, "on_promotion": pl.Boolean}
    frame = frame.with_columns(
        pl.Series(name, columns.get(name, [None] * frame.height), dtype=dtype) for name, dtype in empty.items()
    )
    keys = pl.DataFrame({"sku": [f"S{i}" for i in range(n_keys)], "location_id": ["main"] * n_keys})
    return feed_history(keys, frame, period_days=1, config=DemandConfig())


def test_missing_rows_between_are_zero_and_negative_units_are_returns():
    feed = feed_of([(0, -5, 3), (0, -3, -2), (0, -2, 0), (0, -1, 4)])
    assert feed.cells.units.tolist() == [3, 0, 0, 0, 4]
    assert feed.cells.returned.tolist() == [0, 0, 2, 0, 0]
    assert (feed.cells.units >= 0).all()


def test_a_feed_with_zeros_says_by_silence_that_an_item_is_off_sale():
    rows = (
        [(0, i, 1) for i in range(-60, 0)] + [(1, i, 0) for i in range(-60, -3)] + [(2, i, 2) for i in range(-60, -40)]
    )
    feed = feed_of(rows, n_keys=3)
    assert feed.panel.last.tolist() == [-1, -1, -41]
    assert feed.cells.is_censored[feed.panel.offsets[1] : feed.panel.offsets[2]][-3:].all()
    assert feed.cells.is_censored.sum() == 3
    assert feed.feed_end.tolist() == [-1, -1, -41]


def test_a_feed_without_zeros_leaves_them_out():
    feed = feed_of([(0, i, 1) for i in range(-60, 0)] + [(1, -60, 2), (1, -40, 1)], n_keys=2)
    assert feed.panel.last.tolist() == [-1, -1]
    assert not feed.cells.is_censored.any()
    assert feed.feed_end.tolist() == [0, 0]  # it cannot say what is on sale


@pytest.mark.parametrize(
    ("in_stock", "share", "units", "expected"),
    [
        (True, None, 3, (1.0, False)),
        (False, None, 3, (None, True)),
        (False, None, 0, (0.0, True)),
        (True, 0.25, 3, (0.75, True)),
        (False, 0.0, 3, (1.0, False)),
        (None, None, 3, (None, False)),
    ],
)
def test_stock_outs_as_the_source_states_them(in_stock, share, units, expected):
    feed = feed_of([(0, -2, 1), (0, -1, units)], in_stock=[True, in_stock], stockout_share=[None, share])
    value = feed.cells.in_stock[-1]
    assert (None if np.isnan(value) else value, bool(feed.cells.is_censored[-1])) == expected


def test_a_day_on_which_a_large_shop_sells_nothing_is_doubtful():
    rows = [(s, i, 0 if i == -7 else 5) for s in range(30) for i in range(-20, 0)]
    assert feed_of(rows, n_keys=30).doubtful.tolist() == [-7]
    assert feed_of(rows[:100], n_keys=5).doubtful.tolist() == []


@pytest.mark.parametrize(
    ("infer", "stated", "expected"),
    [("where_stock_is_known", False, 0), ("where_stock_is_known", True, 12), ("always", False, 12), ("never", True, 0)],
)
def test_silence_is_read_as_stocked_out_only_where_the_shop_tells_of_stock(infer, stated, expected):
    units = [0.0 if 100 <= i < 112 else 5.0 for i in range(200)]
    sales = pl.DataFrame(
        {
            "series": pl.Series([0] * 200, dtype=pl.Int32),
            "index": pl.Series(range(-200, 0), dtype=pl.Int32),
            "units": units,
            "unit_price": pl.Series([None] * 200, dtype=pl.Float64),
            "in_stock": pl.Series([True if stated and i > 150 else None for i in range(200)], dtype=pl.Boolean),
            "stockout_share": pl.Series([None] * 200, dtype=pl.Float64),
            "on_promotion": pl.Series([None] * 200, dtype=pl.Boolean),
        }
    )
    listed = np.zeros(0, np.int64)
    days = classify_days(np.arange(-200, 0), last=-1, listed=listed, config=DayConfig())
    config = DemandConfig.model_validate({"censoring": {"infer": infer}})
    keys = pl.DataFrame({"sku": ["A"], "location_id": ["main"]})
    part = feed_part(keys, sales, days, listed, periods=DAYS, config=config)
    assert part.cells.is_censored.sum() == expected
