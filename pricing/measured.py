"""What the experiments of the settings have shown so far: the table ``experiments``."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pricing.config import PricingConfig
from pricing.experiments import cuped, verdict
from pricing.exploration import EXPLORE, HOLDOUT, arms

__all__ = ["experiment_rows"]

_COLUMNS = ["experiment_id", "arms", "exposure", "effect", "effect_lo", "effect_hi", "decision", "days_needed"]
_RECENT_WEEKS, _PAST_WEEKS = 4, 8


def experiment_rows(lines: pd.DataFrame, weeks: pd.DataFrame, *, config: PricingConfig) -> pd.DataFrame:
    """Return one row for each experiment that the settings ask for, in the shape of ``experiments``.

    The holdout compares styles: profit of the last four weeks over that of the eight before, priced styles against
    those that keep their prices, with what the weeks before explain taken out. The effect is relative; its interval
    holds on every night at once. ``exposure`` is the units sold by the arm in the last four weeks.

    Args:
        lines: tonight's lines with a price and a cost.
        weeks: ``sku``, ``location_id``, ``weeks_ago``, ``units``, ``price`` of the last weeks.
        config: the shares.
    """
    if lines.empty or weeks.empty or not (config.holdout_share or config.exploration_share):
        return pd.DataFrame(columns=_COLUMNS)
    marked = lines[["sku", "location_id", "style_id", "unit_cost"]].assign(arm=arms(lines, config=config))
    marked = marked.assign(style=marked["style_id"].where(marked["style_id"].notna(), marked["sku"]))
    sold = weeks.merge(marked.drop_duplicates(["sku", "location_id"]), on=["sku", "location_id"], how="inner")
    sold = sold.assign(profit=(sold["price"] - sold["unit_cost"]) * sold["units"])
    rows = []
    if config.holdout_share:
        rows.append(_row("holdout", [HOLDOUT, "priced"], sold, sold["arm"] == HOLDOUT, config))
    if config.exploration_share:
        rows.append(_row("exploration", [EXPLORE, "priced"], sold, sold["arm"] == EXPLORE, config))
    return pd.DataFrame(rows, columns=_COLUMNS)


def _row(name: str, names: list[str], sold: pd.DataFrame, is_arm: pd.Series, config: PricingConfig) -> list[object]:
    recent = sold["weeks_ago"] < _RECENT_WEEKS
    past = ~recent & (sold["weeks_ago"] < _RECENT_WEEKS + _PAST_WEEKS)
    by_style = pd.DataFrame(
        {
            "now": sold["profit"].where(recent).groupby(sold["style"]).sum() / _RECENT_WEEKS,
            "before": sold["profit"].where(past).groupby(sold["style"]).sum() / _PAST_WEEKS,
            "units": sold["units"].where(past).groupby(sold["style"]).sum(),
            "arm": is_arm.groupby(sold["style"]).any(),
        }
    )
    usable = by_style[by_style["before"] > 0]
    change = np.clip((usable["now"] / usable["before"] - 1).to_numpy(dtype=float), -1.0, 3.0)
    change = cuped(change, np.log1p(usable["units"].to_numpy(dtype=float)))
    arm = usable["arm"].to_numpy(dtype=bool)
    control = ~arm if name == "exploration" else arm
    exposure = float(sold["units"].where(recent & is_arm).sum())
    if not control.any() or control.all():
        return [name, names, exposure, np.nan, np.nan, np.nan, "continue", None]
    # each priced style against the mean of the controls, whose own error widens the interval
    values = change[~control] - change[control].mean()
    found = verdict(values, alpha=config.experiment_alpha / 2)
    other = verdict(change[control], alpha=config.experiment_alpha / 2)
    slack = (other.high - other.low) / 2
    low, high = found.low - slack, found.high + slack
    decision = "keep" if low > 0 else "stop" if high < 0 else "continue"
    shown = [low, high] if np.isfinite(low) else [np.nan, np.nan]
    return [name, names, exposure, found.effect, *shown, decision, None]
