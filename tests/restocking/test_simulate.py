"""The simulator: arrivals to the period, nothing seen ahead of time; what the plan's policy is worth on real sales."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import nbinom

from restocking.sample_paths import PROBABILITIES, PathSampler, calibrate_totals
from restocking.simulate import Costs, cover_policy, no_orders, projected_need, simulate

COSTS = Costs(holding=0.2, shortage=1.0)
LEAD, WEEKS = 2, 8


def steady_paths(level, *, horizon=3):
    return lambda view: np.full((horizon, len(view.on_hand), 4), level)


def test_an_order_arrives_the_lead_time_later_and_not_a_period_off():
    # ordered before week 0 with L = 2: nothing of it in weeks 0 and 1, all of it at the start of week 2
    orders = iter([7.0] + [0.0] * 5)
    out = simulate(np.zeros((1, 5)), lambda view: [next(orders)], opening=np.zeros(1), due=np.zeros((1, LEAD)))
    assert out.arrived.tolist() == [[0, 0, 7, 0, 0]]
    assert out.left.tolist() == [[0, 0, 7, 7, 7]]


def test_what_is_on_the_way_arrives_in_order():
    out = simulate(np.zeros((1, 4)), no_orders, opening=np.ones(1), due=np.array([[2.0, 5.0]]))
    assert out.arrived.tolist() == [[2, 5, 0, 0]]
    assert out.cost(COSTS).tolist() == [pytest.approx(0.2 * (3 + 8 + 8 + 8))]
    assert out.cost(COSTS, first=2).tolist() == [pytest.approx(0.2 * 16)]


def test_steady_demand_is_met_to_the_unit_with_the_right_lead_time():
    demand = np.full((1, 9), 5.0)
    start = {"opening": np.array([5.0]), "due": np.array([[0.0, 5.0]])}
    right = simulate(demand, projected_need(steady_paths(5.0), ratio=0.8), **start)
    assert right.missed.sum() == 0
    assert right.left.sum() == 0
    early = simulate(demand, projected_need(steady_paths(5.0), ratio=0.8, lead_error=-1), **start)
    assert early.missed[:, 2:].sum() > 0  # one period too few: the shelf is empty when the goods come
    policy = projected_need(steady_paths(5.0, horizon=4), ratio=0.8, lead_error=1, lost_sales=False)
    late = simulate(demand, policy, **start)
    assert late.left[:, 2:].min() >= 5  # one period too many: a week of stock is carried for nothing


def test_a_policy_sees_nothing_after_the_close():
    demand = np.arange(12.0).reshape(1, 12)
    seen = []

    def spy(view):
        seen.append((view.period, view.history.shape[1]))
        return np.zeros(1)

    simulate(demand, spy, opening=np.zeros(1), due=np.zeros((1, LEAD)))
    assert seen == [(t, t + 1) for t in range(-1, 12)]


@given(
    demand=st.lists(st.integers(0, 9), min_size=5, max_size=12),
    orders=st.lists(st.integers(0, 9), min_size=13, max_size=13),
    opening=st.integers(0, 20),
    lost_sales=st.booleans(),
)
def test_units_are_conserved(demand, orders, opening, lost_sales):
    plan = iter(orders)
    d = np.array([demand], float)
    out = simulate(
        d, lambda view: [next(plan)], opening=np.array([opening]), due=np.zeros((1, LEAD)), lost_sales=lost_sales
    )
    if lost_sales:
        sold = d - out.missed
        assert out.left[0, -1] == opening + out.arrived.sum() - sold.sum()
    else:
        assert out.left[0, -1] == max(opening + out.arrived.sum() - d.sum(), 0)
    assert (out.missed <= d).all()
    n = len(demand)
    assert out.arrived[0, LEAD:].tolist() == orders[: n - LEAD]


# --- on real sales: six weekly orders, two weeks of lead time, holding 0.2, lost sale 1.0, cost of weeks 3 to 8 ---


def weekly_sales(folder) -> np.ndarray:
    """Units by SKU and week of the gift shop, weeks from the first full one on."""
    lines = pl.scan_csv(folder / "online_retail" / "*.csv.gz", infer_schema_length=0)
    sold = lines.select(
        pl.col("StockCode"), pl.col("Quantity").cast(pl.Int64), pl.col("InvoiceDate").str.slice(0, 10).str.to_date()
    ).filter((pl.col("Quantity") > 0) & pl.col("StockCode").str.contains(r"^\d{5}"))
    weeks = sold.group_by("StockCode", week=pl.col("InvoiceDate").dt.truncate("1w")).agg(pl.col("Quantity").sum())
    table = weeks.collect().sort("week").pivot(on="week", index="StockCode", values="Quantity").sort("StockCode")
    return table.drop("StockCode").to_numpy().astype(float)[:, 1:]


def plain_paths(base, *, horizon=LEAD + 1, n_paths=200, smoothing=0.2):
    """Paths around an exponentially weighted mean, negative binomial with the history's own spread."""
    sampler = PathSampler(n_paths, horizon, seed=7)

    def paths(view):
        history = np.concatenate([base, view.history], axis=1)
        weight = (1 - smoothing) ** np.arange(history.shape[1])[::-1]
        slow = 0.96 ** np.arange(history.shape[1])[::-1]
        mean = np.maximum((history * weight).sum(axis=1) / weight.sum(), 1e-3)
        spread = np.maximum(((history - mean[:, None]) ** 2 * slow).sum(axis=1) / slow.sum(), 1.05 * mean)

        def quantiles(periods):
            m, v = periods * mean[:, None], periods * spread[:, None]
            return nbinom.ppf(PROBABILITIES, m * m / (v - m), m / v)

        n = len(mean)
        drawn = sampler.draw(np.repeat(quantiles(1)[None], horizon, axis=0), correlation=np.zeros(n), scale=np.ones(n))
        return calibrate_totals(
            drawn,
            window=np.full((n, n_paths), horizon),
            quantiles=quantiles(horizon),
            mean=np.repeat(mean[None], horizon, axis=0),
            known=np.ones(n, dtype=bool),
        )

    return paths


@pytest.mark.real_data
def test_on_the_gift_shops_sales_the_plan_beats_cover_and_a_wrong_lead_time_loses(real_data):
    sales = weekly_sales(real_data)
    first = 40
    base = np.nan_to_num(sales[:, :first])
    kept = np.flatnonzero((base[:, -26:] > 0).sum(axis=1) >= 8)[::4]
    base, demand = base[kept], np.nan_to_num(sales[kept, first : first + WEEKS])
    rate = base[:, -13:].mean(axis=1)
    start = {"opening": np.round(2 * rate), "due": np.round(np.stack([rate, rate], axis=1))}

    def last_13_weeks(view):
        return np.concatenate([base, view.history], axis=1)[:, -13:].mean(axis=1)

    def cost(policy):
        return simulate(demand, policy, **start).cost(COSTS, first=LEAD).sum()

    ratio = 1.0 / 1.2
    plan = cost(projected_need(plain_paths(base), ratio=ratio))
    covers = {weeks: cost(cover_policy(last_13_weeks, periods=weeks)) for weeks in (3.0, 3.5, 4.0)}
    assert plan < 0.99 * min(covers.values())
    assert plan < 0.98 * cost(projected_need(plain_paths(base), ratio=ratio, lead_error=-1))
    assert plan < 0.98 * cost(projected_need(plain_paths(base, horizon=LEAD + 2), ratio=ratio, lead_error=1))
    assert plan < cost(
        projected_need(plain_paths(base), ratio=ratio, lost_sales=False)
    )  # lost sales are not ordered again
    assert plan < 0.7 * cost(no_orders)
