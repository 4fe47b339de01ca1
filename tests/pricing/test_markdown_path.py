"""The planned prices of what must go: families together, inside the caps, nearly the best of all monotone paths."""

from __future__ import annotations

import itertools
from datetime import date

import numpy as np

from pricing.config import PricingConfig
from pricing.effects import expected_sales
from pricing.markdown_path import markdown_paths, markdown_text

DAY = date(2026, 6, 28)
CONFIG = PricingConfig()
TUNE = "\n  - {id: tune, type: optimise, when: {all: true}, within_percent: 20}"
MONTH = "max_change_percent_per_30_days: 25"
ENDS = {"days_to_end_of_sale": 56.0, "unit_cost": 80.0, "style_id": "Y"}
STEEP = {"elasticity": -3.0, "elasticity_lo": -3.3, "elasticity_hi": -2.7}


def found(frame, book):
    return markdown_paths(frame, book, run_date=DAY, config=CONFIG, seed=1)


def test_a_family_has_one_path_inside_the_caps_to_its_end(lines, book):
    frame = lines(*(ENDS | STEEP | {"sku": s, "units_mean": u} for s, u in (("S", 20.0), ("M", 40.0))))
    (path,) = found(frame, book(TUNE, f"{MONTH}, one_price_per_style: true"))
    assert path.skus == ("S", "M")
    assert path.ends_on == date(2026, 8, 23)
    assert len(path.weekly_prices) == 8
    charged = np.array([path.price_now, *path.weekly_prices])
    assert (charged[1:] <= charged[:-1]).all()
    assert (charged[1:] >= 0.9 * charged[:-1] - 0.01).all()
    assert all(charged[w] >= 0.75 * charged[max(w - 4, 0) : w].max() - 0.01 for w in range(1, 9))
    assert charged[-1] < 220
    assert path.left[0] <= path.left[1] <= path.left[2]
    assert path.left[1] < path.left_as_is < path.stock


def test_lines_apart_may_have_paths_of_their_own(lines, book):
    flat = {"elasticity": -1.2, "elasticity_lo": -1.4, "elasticity_hi": -1.0, "salvage_value": 75.0}
    frame = lines(ENDS | STEEP | {"sku": "S"}, ENDS | flat | {"sku": "M"})
    assert len(found(frame, book(TUNE))) == 2


def test_what_sells_out_or_does_not_end_is_not_listed(lines, book):
    frame = lines(ENDS | {"sku": "S", "supply_units": 30.0}, {"sku": "M"})
    assert found(frame, book(TUNE)) == []
    assert "nothing ends its sale" in markdown_text([], run_date=DAY)


def test_a_clearance_by_a_date_is_a_path_to_that_date(lines, book):
    rule = "{id: out, type: clearance, when: {all: true}, start_days: 60, percent_at_end: 30, by_date: 2026-08-09}"
    (path,) = found(lines(STEEP), book(f"\n  - {rule}", MONTH))
    assert path.ends_on == date(2026, 8, 9)
    assert len(path.steps()) >= 3
    text = markdown_text([path], run_date=DAY)
    assert f"2026-06-29 {path.weekly_prices[0]:.2f}" in text
    assert "left at the end" in text


def test_prices_found_anew_each_week_earn_nearly_what_the_best_path_does(lines, book):
    cases = list(itertools.product((-1.5, -2.5, -4.0), (80.0, 164.0, 300.0)))
    frame = lines(
        *(
            ENDS
            | {"elasticity": e, "elasticity_lo": e - 0.3, "elasticity_hi": e + 0.3, "sku": f"{e} {stock}"}
            | {"style_id": f"{e} {stock}", "on_hand": stock, "supply_units": stock, "days_of_cover": stock}
            for e, stock in cases
        )
    )
    paths = {path.skus[0]: np.array(path.weekly_prices)[:, None] for path in found(frame, book(TUNE, MONTH))}
    candidates, as_it_is = _monotone_paths(), np.full((8, 1), 268.0)
    ours = np.array([_profit(paths[f"{e} {stock}"], e, stock)[0] for e, stock in cases])
    best = np.array([_profit(candidates, e, stock).max() for e, stock in cases])
    kept = np.array([_profit(as_it_is, e, stock)[0] for e, stock in cases])
    assert (ours - kept).sum() >= 0.95 * (best - kept).sum() > 0
    assert (ours >= 0.95 * best).all()


def _monotone_paths():
    """Weekly prices, shape (8, paths): three levels downward at any weeks, cut to the same caps."""
    levels = 268 * np.linspace(1.0, 0.45, 12)
    switches = [(a, b) for a in range(5) for b in range(a, 8)]
    targets = [
        [x] * a + [y] * (b - a) + [z] * (8 - b)
        for (x, y, z), (a, b) in itertools.product(itertools.combinations_with_replacement(levels, 3), switches)
    ]
    wanted, charged = np.array(targets).T, [np.full(len(targets), 268.0)]
    for week in wanted:
        floor = np.maximum(0.9 * charged[-1], 0.75 * np.max(charged[-5:], axis=0))
        charged.append(np.minimum(np.maximum(week, floor), charged[-1]))
    return np.array(charged[1:])


def _profit(prices, elasticity, stock):
    """Expected profit of each path: dear weeks sell first, what is left at the end is worth its salvage value."""
    demand = np.cumsum(7.0 * (prices / 268.0) ** elasticity, axis=0)
    sold = expected_sales(demand, demand * 8 / 28, np.full_like(demand, stock))
    weekly = np.diff(sold, axis=0, prepend=0.0)
    return (weekly * (prices - 80.0)).sum(axis=0) - (80.0 - 60.0) * (stock - sold[-1])
