"""Price response on real supermarket sales: eleven brands of orange juice in some forty shops.

    python -m benchmarks.orange_juice [weekly.parquet]

Cross-fitted by shop: what a brand's price, deal and feature do, and the season of the whole category, are learnt in
four fifths of the shops and scored in the rest, where a series brings only the level of its own past weeks. The
control is the same pipeline refitted without price, deal and feature kept. No sign is clipped in the scored fit.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pricing.config import PricingConfig
from pricing.elasticity import estimate_elasticities
from pricing.panel import Panel, make_panel, usable_weeks
from pricing.response import fit_response

__all__ = ["Scores", "juice_weeks", "score"]

_FOLDS = 5
_CHANGE = 0.02  # [log price] from a week to the next: less is no change
_HALF_LIFE = 8.0  # [weeks] of a series' own past in its level
_CONTROLS = ("deal", "feature")
_PUBLISHED = (-4.1, -1.4)


@dataclass(frozen=True)
class Scores:
    """WAPE at changed prices with and without price, slope of realised on predicted log change, and by brand."""

    wape: float
    wape_without_price: float
    slope: float
    brand_slopes: dict[str, float]
    intervals: pd.DataFrame

    @property
    def gain(self) -> float:
        """Return by how much the WAPE is better than without price (0-1)."""
        return 1 - self.wape / self.wape_without_price


def juice_weeks(path: Path) -> pd.DataFrame:
    """Return the weekly sales in the columns that the pricing room reads."""
    raw = pd.read_parquet(path)
    return pd.DataFrame(
        {
            "sku": raw["sku"].astype(str),
            "location_id": raw["location_id"].astype(str),
            "week": pd.to_datetime(raw["week_start"]),
            "units": raw["units"].astype(float),
            "days": 7.0,
            "price": raw["price_per_ounce"].astype(float),
            "regular_price": raw["price_per_ounce"].astype(float),
            "deal": (raw["deal"] > 0).astype(float),
            "feature": raw["feature"].astype(float),
        }
    )


def score(weekly: pd.DataFrame, *, config: PricingConfig) -> Scores:
    """Return the scores of the price model on weekly sales of brands (``sku``) in shops (``location_id``)."""
    brands = sorted(weekly["sku"].unique())
    items = pd.DataFrame({"sku": brands, "stem": brands, "product_type": brands, "category": "juice"})
    rows = usable_weeks(weekly, items)
    with_price, without = (_predicted(rows, items, config, use_price=p) for p in (True, False))
    before = rows.groupby(["sku", "location_id"], sort=False)
    is_next = rows["week"].diff().dt.days.eq(7) & before.cumcount().gt(0)
    moved = rows["log_price"] - before["log_price"].shift(1)
    last = np.log(before["units"].shift(1).clip(lower=0.5))
    mask = (is_next & (moved.abs() > _CHANGE) & np.isfinite(with_price) & np.isfinite(without)).to_numpy()
    realised = (np.log(rows["units"].clip(lower=0.5)) - last).to_numpy()
    predicted = with_price - last.to_numpy()
    units = rows["units"].to_numpy()

    def wape(log_units: np.ndarray) -> float:
        return float(np.abs(units - np.exp(log_units))[mask].sum() / units[mask].sum())

    def slope(part: np.ndarray) -> float:
        return float(np.polyfit(predicted[part], realised[part], 1)[0])

    mine = {b: slope(mask & (rows["sku"] == b).to_numpy()) for b in brands}
    asked = items.drop(columns="stem")
    controls = rows.rename(columns={"deal": "promotion_share", "feature": "event_share"})
    table = estimate_elasticities(controls, asked, config=config)
    own = table[table["sku"] != "*"].set_index("sku")[["elasticity", "elasticity_lo", "elasticity_hi"]]
    return Scores(wape(with_price), wape(without), slope(mask), mine, own)


def _predicted(rows: pd.DataFrame, items: pd.DataFrame, config: PricingConfig, *, use_price: bool) -> np.ndarray:
    """Log units of each row: the answer learnt in other shops, on the level of the series' own past weeks."""
    panel = make_panel(rows, items, controls=_CONTROLS)
    folds = pd.factorize(rows["location_id"], sort=True)[0] % _FOLDS
    moves = np.zeros(len(rows))
    for fold in range(_FOLDS):
        test = folds == fold
        moves[test] = _moves(rows, items, panel, ~test, config, use_price=use_price)[test]
    rest = pd.Series(np.log(rows["units"].clip(lower=0.5)).to_numpy() - moves)
    keys = [rows["sku"].to_numpy(), rows["location_id"].to_numpy()]
    level = rest.groupby(keys, sort=False).transform(lambda s: s.shift(1).ewm(halflife=_HALF_LIFE).mean())
    return np.asarray(level + moves, dtype=float)


def _moves(
    rows: pd.DataFrame, items: pd.DataFrame, panel: Panel, train: np.ndarray, config: PricingConfig, *, use_price: bool
) -> np.ndarray:
    """What price, controls and season do to log units in every row, learnt from the training rows."""
    taught = make_panel(rows[train].reset_index(drop=True), items, controls=_CONTROLS)
    model = fit_response(taught, n_kinds=len(items), drift_sd=config.drift_sd_per_week, use_price=use_price)
    weeks = pd.Series(model.season).groupby(taught.week).mean()
    season = pd.Series(panel.week).map(weeks).fillna(0.0).to_numpy()
    controls = np.einsum("nk,nk->n", panel.controls, model.lift[panel.kind])
    return np.asarray(model.slope[panel.kind] * panel.log_price + controls + season, dtype=float)


def main() -> None:
    """Print the scores."""
    data = Path(os.environ.get("MERCHCAST_TEST_DATA", "../shared/data")) / "orange_juice" / "weekly.parquet"
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else data
    found = score(juice_weeks(path), config=PricingConfig())
    print(
        f"WAPE at changed prices {found.wape:.4f}, without price {found.wape_without_price:.4f}: "
        f"{found.gain:.1%} better"
    )
    inside = sum(0.7 <= s <= 1.3 for s in found.brand_slopes.values())
    print(f"slope of realised on predicted log change {found.slope:.3f}; brands in 0.7-1.3: {inside} of 11")
    low, high = _PUBLISHED
    own = found.intervals
    overlap = int(((own["elasticity_lo"] <= high) & (own["elasticity_hi"] >= low)).sum())
    for brand, row in own.iterrows():
        span = f"{row['elasticity_lo']:6.2f} to {row['elasticity_hi']:6.2f}"
        print(f"  {brand:5s} {row['elasticity']:6.2f}  ({span})  slope {found.brand_slopes[str(brand)]:.2f}")
    print(f"brand intervals that overlap the published {low} to {high}: {overlap} of {len(own)}")


if __name__ == "__main__":
    main()
