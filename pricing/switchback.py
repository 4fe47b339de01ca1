"""A switchback of prices run by the nights: who is at which level tomorrow, at which price, and what it has shown.

The key ``pricing.switchback`` of merchcast.yml starts it, its last block or taking the key away ends it. A share of
the styles goes through three levels of the price that was in force before its first day: that price (``control``), so
many percent below (``lower``) and above (``higher``), each style in an order of its own that depends on nothing but
its name. Styles and days are compared, never persons. What is measured is what was assigned, whether or not the shop
took the price over: an effect of prices that were not charged is nearer zero, never further from it.
"""

from __future__ import annotations

import hashlib
from datetime import date

import numpy as np
import pandas as pd

from pricing.config import PricingConfig, Switchback
from pricing.experiments import LEVELS, contrasts, cuped, days_needed, in_share, verdict

__all__ = ["USUAL_DAYS", "schedule_rows", "style_schedule", "switchback_rows", "with_levels"]

USUAL_DAYS = 56  # [days] before the first day, from which it is known what a style usually makes
_POWER = 0.9  # [0-1] the length is stated for a reserve above the 80% that are promised
_EFFECT = 0.05  # [0-1] of profit, that is to be found
_FACTORS = {"control": 0.0, "lower": -1.0, "higher": 1.0}


def style_schedule(styles: list[str], plan: Switchback) -> pd.DataFrame:
    """Return ``cluster``, ``day`` (from 0), ``block``, ``level``, ``day_of_level`` of the styles that take part.

    A style's order in a block is drawn from its name, so that no style that comes or goes moves another.

    >>> plan = Switchback(experiment_id="x", from_date=date(2026, 7, 1), blocks=1, days_per_level=7, share=1.0)
    >>> style_schedule(["A"], plan)["level"].nunique(), len(style_schedule(["A"], plan))
    (3, 21)
    """
    names = pd.Series(sorted(set(styles)), dtype=object)
    taking_part = names[in_share(names, salt=f"switchback\x1f{plan.experiment_id}", share=plan.share)]
    n, length = len(LEVELS), plan.days_per_level
    rows: list[tuple[str, int, int, str, int]] = []
    for style in taking_part:
        for block in range(plan.blocks):
            drawn = hashlib.sha256(f"{plan.experiment_id}\x1f{block}\x1f{style}".encode()).digest()
            turn, step = drawn[0] % n, 1 if drawn[1] % 2 else -1
            for place in range(n):
                first = (block * n + place) * length
                level = LEVELS[(turn + step * place) % n]
                rows.extend((style, first + d, block, level, d) for d in range(length))
    return pd.DataFrame(rows, columns=["cluster", "day", "block", "level", "day_of_level"])


def schedule_rows(lines: pd.DataFrame, plan: Switchback | None, *, run_date: date) -> pd.DataFrame:
    """Return who is at which level tomorrow, in the shape of ``switchback_levels``; none when it does not run."""
    names = ["experiment_id", "style_id", "level", "block", "day_of_level", "is_washout", "next_level_date"]
    if plan is None or not 0 <= plan.day_of(run_date) < plan.days:
        return pd.DataFrame(columns=names)
    schedule = style_schedule(_styles(lines).tolist(), plan)
    today = schedule[schedule["day"] == plan.day_of(run_date)]
    left = plan.days_per_level - today["day_of_level"]
    tomorrow = pd.Timestamp(run_date) + pd.Timedelta(days=1)
    found = today.rename(columns={"cluster": "style_id"}).assign(
        experiment_id=plan.experiment_id,
        block=today["block"] + 1,
        day_of_level=today["day_of_level"] + 1,
        is_washout=today["day_of_level"] < plan.washout_days,
        next_level_date=tomorrow + pd.to_timedelta(left, unit="D"),
    )
    return found[names].sort_values("style_id", ignore_index=True)


def with_levels(lines: pd.DataFrame, before: pd.DataFrame, plan: Switchback | None, *, run_date: date) -> pd.DataFrame:
    """Return the lines with ``switchback_level`` and ``switchback_price`` for tomorrow.

    Args:
        lines: tonight's lines.
        before: ``sku``, ``location_id``, ``channel``, ``price`` in force on the day before the experiment began.
        plan: the experiment; None: there is none.
        run_date: the business date.
    """
    rows = schedule_rows(lines, plan, run_date=run_date)
    if plan is None or rows.empty:
        return lines
    level = _styles(lines).map(rows.set_index("style_id")["level"])
    keys = ["sku", "location_id", "channel"]
    base = lines[keys].merge(before[[*keys, "price"]].drop_duplicates(keys), on=keys, how="left")["price"]
    everywhere = before[before["location_id"] == "main"].drop_duplicates("sku").set_index("sku")["price"]
    base = base.where(base.notna(), lines["sku"].map(everywhere).to_numpy())
    factor = 1 + level.map(_FACTORS).astype(float) * plan.percent / 100
    price = base.to_numpy(dtype=float) * factor.to_numpy(dtype=float)
    known = np.isfinite(price)
    return lines.assign(switchback_level=level.where(known).astype(object), switchback_price=np.round(price, 2))


def switchback_rows(
    daily: pd.DataFrame, styles: list[str], *, run_date: date, config: PricingConfig
) -> list[dict[str, object]]:
    """Return what the switchback has shown so far: a row of ``experiments`` for each level against the control.

    What a style's profit did in the weeks before is taken out of its contrasts (CUPED). The interval may be looked at
    every night; the chance of a false alarm is shared between the two levels. ``days_needed`` is how long it takes to
    find 5% of profit nine times in ten, as far as the contrasts seen so far tell.

    Args:
        daily: ``style_id``, ``ds``, ``profit``, ``units`` a day, from ``USUAL_DAYS`` before the first day.
        styles: of the shop.
        run_date: the last day that is known.
        config: validated settings, with a switchback.
    """
    plan = config.switchback
    assert plan is not None
    schedule = style_schedule(styles, plan)
    day = (daily["ds"] - pd.Timestamp(plan.from_date)).dt.days
    known = daily.assign(cluster=daily["style_id"], day=day)
    known = known[known["cluster"].isin(set(schedule["cluster"]))]
    past = known[(known["day"] < 0) & (known["day"] >= -USUAL_DAYS)]
    usual = past.groupby("cluster")["profit"].sum() / USUAL_DAYS
    late = past[past["day"] >= -USUAL_DAYS // 2].groupby("cluster")["profit"].sum() / (USUAL_DAYS / 2)
    trend = (late.reindex(usual.index).fillna(0.0) / usual.where(usual > 0) - 1).fillna(0.0).clip(-1, 1)
    told: list[dict[str, object]] = []
    for level in LEVELS[1:]:
        seen = contrasts(
            _every_day(known, schedule, plan.day_of(run_date) - 1), schedule, usual, level=level,
            washout_days=plan.washout_days, as_of_day=plan.day_of(run_date) - 1,
        )  # fmt: skip
        before = seen["cluster"].map(trend).fillna(0.0).to_numpy(dtype=float)
        values = cuped(seen["contrast"].to_numpy(dtype=float), before)
        now = known.merge(schedule[schedule["level"] == level][["cluster", "day"]], on=["cluster", "day"])
        told.append(_row(level, values, float(now["units"].sum()), len(usual), plan, config))
    return told


def _row(
    level: str, values: np.ndarray, exposure: float, n_styles: int, plan: Switchback, config: PricingConfig
) -> dict[str, object]:
    alpha = config.experiment_alpha / (len(LEVELS) - 1)
    found = verdict(values, alpha=alpha)
    is_stated = np.isfinite(found.low)
    needed = None
    if is_stated:
        needed = days_needed(effect=_EFFECT, contrast_sd=float(values.std(ddof=1)), n_clusters=max(n_styles, 1),
                             block_days=plan.days_per_level * len(LEVELS), alpha=alpha, power=_POWER)  # fmt: skip
    return {
        "experiment_id": f"{plan.experiment_id}:{level}",
        "arms": ["control", level],
        "exposure": exposure,
        "effect": found.effect,
        "effect_lo": found.low if is_stated else np.nan,
        "effect_hi": found.high if is_stated else np.nan,
        "decision": found.decision.value,
        "days_needed": needed,
    }


def _every_day(known: pd.DataFrame, schedule: pd.DataFrame, last_day: int) -> pd.DataFrame:
    """Profit of every style on every day so far; a day on which nothing sold makes none."""
    days = schedule.loc[schedule["day"] <= last_day, ["cluster", "day"]]
    made = known.groupby(["cluster", "day"], as_index=False)["profit"].sum()
    joined = days.merge(made, on=["cluster", "day"], how="left")
    return joined.assign(profit=joined["profit"].fillna(0.0))


def _styles(lines: pd.DataFrame) -> pd.Series:
    return lines["style_id"].where(lines["style_id"].notna(), lines["sku"]).astype(str)
