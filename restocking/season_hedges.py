"""The hedge plan of every style that the settings name: its season's demand by regime, and the two-stage order."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from restocking.config import HedgeSettings
from restocking.hedge import HedgePlan, Regime, Season, plan_hedge

__all__ = ["hedge_plans"]

_SAMPLES = 400  # seasons drawn per regime
_COLUMNS = [
    "style_id",
    "regime",
    "base_qty",
    "reserved_capacity",
    "trigger_date",
    "trigger_units",
    "probability",
    "profit",
    "tail_loss",
]


def hedge_plans(styles: pd.DataFrame, hedges: tuple[HedgeSettings, ...], *, run_date: date, seed: int) -> pd.DataFrame:
    """Return ``hedge_plan``: one row per style and regime.

    Args:
        styles: ``style_id``, ``category``, ``daily_units`` (forecast mean of all its SKUs and locations [units/day]),
            ``price``, ``unit_cost``, ``salvage`` [shop.currency/unit; nan unknown].
        hedges: seasons; those whose trigger date has come are over.
        run_date: D.
        seed: of the seasons drawn.
    """
    rows = []
    for hedge in hedges:
        if hedge.trigger_date <= run_date:
            continue
        named = styles["style_id"].isin(hedge.style_ids) | (styles["category"] == hedge.category)
        chosen = styles.loc[named].sort_values("style_id")
        priced = (chosen["price"] > chosen["unit_cost"]) & (chosen["unit_cost"] > 0) & (chosen["daily_units"] > 0)
        money = chosen.loc[priced, ["daily_units", "price", "unit_cost", "salvage"]].to_numpy(np.float64)
        for style_id, terms in zip(chosen.loc[priced, "style_id"], money.tolist(), strict=True):
            plan = _plan(terms, hedge, run_date=run_date, seed=seed)
            rows += [_row(str(style_id), regime.name, hedge, plan) for regime in hedge.regimes]
    table = pd.DataFrame(rows, columns=_COLUMNS)
    whole = dict.fromkeys(("base_qty", "reserved_capacity", "trigger_units"), "int64")
    numbers = dict.fromkeys(("probability", "profit", "tail_loss"), "float64")
    table = table.astype(whole | numbers).assign(trigger_date=pd.to_datetime(table["trigger_date"]))
    return table.drop_duplicates(["style_id", "regime"], ignore_index=True)


def _plan(terms: list[float], hedge: HedgeSettings, *, run_date: date, seed: int) -> HedgePlan:
    daily, price, cost, salvage = terms
    season = Season(
        price=price,
        unit_cost=cost,
        salvage=0.0 if np.isnan(salvage) else min(salvage, cost),
        second_cost=cost * (1 + hedge.second_order_premium),
        reservation_fee=cost * hedge.reservation_fee,
    )
    days = (hedge.season_end_date - run_date).days
    early = (hedge.trigger_date - run_date).days / days
    rng = np.random.default_rng(seed)
    sigma = float(np.sqrt(np.log(1 + hedge.demand_spread**2)))
    regimes = []
    for regime in hedge.regimes:
        level = rng.lognormal(-(sigma**2) / 2, sigma, _SAMPLES) * daily * days * regime.demand_factor
        part = np.clip(early * rng.lognormal(-(sigma**2) / 8, sigma / 2, _SAMPLES), 0.0, 1.0)
        regimes.append(Regime(regime.name, regime.probability, level * part, level * (1 - part)))
    return plan_hedge(season, regimes, floor=hedge.probability_floor)


def _row(style_id: str, regime: str, hedge: HedgeSettings, plan: HedgePlan) -> tuple[object, ...]:
    return (
        style_id,
        regime,
        plan.base_qty,
        plan.reserved_capacity,
        hedge.trigger_date,
        plan.trigger_units,
        plan.probability[regime],
        round(plan.profit[regime], 4),
        round(plan.tail_loss[regime], 4),
    )
