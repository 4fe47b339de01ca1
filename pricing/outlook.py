"""What profits of tonight's lines are reckoned from, over the horizon and over the rest of an item's life."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from pricing.bounds import LineRails
from pricing.config import PricingConfig
from pricing.effects import Outlook
from pricing.rules import RuleBook

__all__ = ["outlook_of", "whole_life_outlook"]

Floats = npt.NDArray[np.float64]

_MOST_LIFE_DAYS = 182.0  # [days] beyond it the end of sale is no reason to hurry


def outlook_of(lines: pd.DataFrame, book: RuleBook, rails: LineRails, *, config: PricingConfig) -> Outlook:
    """Return the outlook over the horizon of lines whose numbers make sense.

    Where a new order can be sold within the horizon, stock bounds only the sales before that; what ends within the
    horizon, or is not known to be ordered again, has its stock and no more.
    """

    def column(name: str) -> Floats:
        return np.asarray(lines[name].to_numpy(dtype=float), dtype=float)

    def finite(name: str) -> Floats:
        values = column(name)
        return np.asarray(np.where(np.isfinite(values), np.maximum(values, 0.0), 0.0), dtype=float)

    left, reorder = column("days_to_end_of_sale"), column("reorder_days")
    comes = np.isfinite(reorder) & ~(np.isfinite(left) & (left <= np.maximum(reorder, config.horizon_days)))
    exposed = np.where(comes, np.clip(reorder / config.horizon_days, 0.0, 1.0), 1.0)
    guaranteed = np.nan_to_num(rails["preorder_price_guarantee"]) > 0
    return Outlook(
        price=column("current_price"),
        unit_cost=column("unit_cost"),
        salvage_value=finite("salvage_value"),
        ends_within=np.isfinite(left) & (left <= config.horizon_days),
        units_mean=finite("units_mean"),
        units_sd=finite("units_sd"),
        supply=finite("supply_units"),
        elasticity=column("elasticity"),
        elasticity_lo=column("elasticity_lo"),
        elasticity_hi=column("elasticity_hi"),
        curvature=finite("curvature"),
        refund_units=finite("recent_units") * np.nan_to_num(rails["price_protection_days"], nan=0.0),
        days_of_cover=finite("days_of_cover"),
        exposed_share=np.asarray(exposed, dtype=float),
        royalty_share=np.clip(finite("royalty_share"), 0.0, 0.9),
        guaranteed_units=np.where(guaranteed, finite("guaranteed_units"), 0.0),
        guaranteed_price=finite("guaranteed_price"),
        family=_families(lines, book),
    )


def whole_life_outlook(outlook: Outlook, days_left: Floats, *, config: PricingConfig) -> Outlook:
    """Return the outlook with items near their end of sale reckoned over the rest of their life.

    The price found is the first step of a markdown path: each night it is found anew for the stock and the days that
    are left, and the caps on moves spread it over weeks.
    """
    ends = np.isfinite(days_left) & (days_left <= _MOST_LIFE_DAYS)
    scale = np.where(ends, np.maximum(days_left, 1.0) / config.horizon_days, 1.0)
    return replace(
        outlook,
        units_mean=outlook.units_mean * scale,
        units_sd=outlook.units_sd * np.sqrt(np.maximum(scale, 1e-9)) * np.sqrt(np.maximum(scale, 1.0)),
        ends_within=ends | outlook.ends_within,
        exposed_share=np.where(ends, 1.0, outlook.exposed_share),
    )


def _families(lines: pd.DataFrame, book: RuleBook) -> npt.NDArray[np.int64]:
    """Codes of the lines of one style, place, channel and price where the book moves them together; -1: alone."""
    if not book.guardrails.one_price_per_style or lines.empty:
        return np.full(len(lines), -1, dtype=np.int64)
    keys = lines[["style_id", "location_id", "channel"]].astype(str)
    codes = pd.MultiIndex.from_frame(keys.assign(price=lines["current_price"])).factorize()[0]
    return np.where(lines["style_id"].notna(), codes, -1).astype(np.int64)
