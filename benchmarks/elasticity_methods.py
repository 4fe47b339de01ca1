"""Our elasticities beside double machine learning (DoubleML's partially linear model), on the demo's known truth.

    python -m benchmarks.elasticity_methods HOME [--every 6]

Needs the package `doubleml` beside the project, and says so where it is not. HOME: as for
:mod:`benchmarks.elasticities`. Both see the same weeks, prices and controls. Nuisance functions are gradient-boosted
trees, cross-fitted in three folds, of location, time, season, and the controls; the model is fitted to each style, to
each product type, and, as the fairest comparison, each style's result is shrunk up the hierarchy as ours are.
"""

from __future__ import annotations

import argparse
import importlib.util
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.elasticities import demo_world, interval_score, log_log
from pricing.config import PricingConfig
from pricing.elasticity import _items, _tree, estimate_elasticities
from pricing.log_scale import cut_at_zero
from pricing.panel import CONTROLS, usable_weeks
from pricing.shrinkage import shrunk

__all__ = ["doubled"]

_LEAST_WEEKS = 30  # [weeks of a series] fewer, and cross-fitting has nothing to learn from
_Z95 = 1.6448536269514722


def doubled(rows: pd.DataFrame, group: pd.Series) -> pd.DataFrame:
    """Return ``estimate`` and ``variance`` of DoubleML's partially linear model for each group of weeks.

    Args:
        rows: from :func:`pricing.panel.usable_weeks`.
        group: of each row.
    """
    from doubleml import DoubleMLData, DoubleMLPLR
    from lightgbm import LGBMRegressor

    keys = [rows["sku"], rows["location_id"]]
    sold = np.log((rows["units"] + 0.5) / rows["days"])
    frame = pd.DataFrame({"y": sold - sold.groupby(keys).transform("mean")})
    frame["d"] = rows["log_price"] - rows["log_price"].groupby(keys).transform("mean")
    frame["location"] = pd.factorize(rows["location_id"])[0].astype(float)
    frame["week"] = (rows["week"] - rows["week"].min()).dt.days / 7
    frame["sine"], frame["cosine"] = np.sin(frame["week"] / 52 * 2 * np.pi), np.cos(frame["week"] / 52 * 2 * np.pi)
    for name in CONTROLS:
        if name in rows.columns:
            frame[name] = np.nan_to_num(rows[name].to_numpy(dtype=float))
    kind = frame["y"].groupby([rows["product_type"], rows["week"]]).transform("mean")
    frame["season"] = kind  # what the type sold in that week, of all its series
    found = {}
    names = [c for c in frame.columns if c not in ("y", "d")]
    for name, part in frame.groupby(group.to_numpy()):
        if len(part) < _LEAST_WEEKS or part["d"].std() < 0.01:
            continue
        learner = LGBMRegressor(n_estimators=60, num_leaves=8, min_child_samples=10, n_jobs=1, verbose=-1, seed=1)
        np.random.seed(1)  # DoubleML draws its folds from numpy's own generator
        model = DoubleMLPLR(DoubleMLData(part.reset_index(drop=True), "y", "d", names), learner, learner, n_folds=3)
        model.fit()
        found[name] = (float(model.coef[0]), float(model.se[0]) ** 2)
    return pd.DataFrame.from_dict(found, orient="index", columns=["estimate", "variance"])


def _intervals(estimate: pd.Series, variance: pd.Series) -> pd.DataFrame:
    half = _Z95 * np.sqrt(variance)
    return pd.DataFrame({"elasticity": estimate, "elasticity_lo": estimate - half, "elasticity_hi": estimate + half})


def _told(name: str, table: pd.DataFrame, truth: pd.Series) -> None:
    known = truth.reindex(table.index)
    inside = (table["elasticity_lo"] <= known) & (known <= table["elasticity_hi"])
    width = table["elasticity_hi"] - table["elasticity_lo"]
    score = interval_score(table["elasticity_lo"], table["elasticity_hi"], known)
    error = np.sqrt(((table["elasticity"] - known) ** 2).mean())
    print(f"{name:34s} {len(table):5d} SKUs  cover {inside.mean():.1%}  median width {width.median():.2f}  "
          f"error {error:.2f}  interval score {score.mean():.2f}")  # fmt: skip


def compared(weekly: pd.DataFrame, products: pd.DataFrame, truth: pd.Series, *, every: int) -> None:
    """Print figures of all methods on the SKUs of every so-manieth style."""
    config, items = PricingConfig(), _items(products)
    rows = usable_weeks(weekly, items).merge(items, on="sku", how="left")
    ours = estimate_elasticities(weekly, products, config=config)
    ours = ours[ours["sku"] != "*"].set_index("sku")
    stems = pd.Index(sorted(rows["stem"].unique()))[::every]
    sample = rows[rows["stem"].isin(stems)].reset_index(drop=True)
    by_style = doubled(sample, sample["stem"])
    by_kind = doubled(rows, rows["product_type"])
    chosen = items[items["stem"].isin(by_style.index)].reset_index(drop=True)
    tree = _tree(chosen)
    own = by_style.reindex(pd.Index(sorted(chosen["stem"].unique())))
    nothing = (np.zeros(len(chosen)), np.full(len(chosen), np.inf))
    found = shrunk(nothing, (own["estimate"].to_numpy(), own["variance"].to_numpy()), tree, config=config)
    names = pd.Index(chosen["sku"])
    _told("ours", ours.loc[names], truth)
    per_sku = by_style.reindex(chosen["stem"]).set_axis(names)
    _told("DoubleML a style", _intervals(per_sku["estimate"], per_sku["variance"]), truth)
    per_kind = by_kind.reindex(chosen["product_type"]).set_axis(names)
    _told("DoubleML a product type", _intervals(per_kind["estimate"], per_kind["variance"]), truth)
    _told("DoubleML a style, shrunk as ours", cut_at_zero(found.sku_mean, found.sku_variance).set_axis(names), truth)
    plain = log_log(weekly)
    _told("log-log regression a SKU", plain.loc[plain.index.intersection(names)], truth)


def main() -> None:
    """Print the figures, or that the package is not here."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--every", type=int, default=6, help="every so-manieth style")
    asked = parser.parse_args()
    if importlib.util.find_spec("doubleml") is None:
        print("skipped: the package `doubleml` is not installed here")
        return
    warnings.filterwarnings("ignore", category=UserWarning)  # of scikit-learn about names of columns
    compared(*demo_world(asked.home), every=asked.every)


if __name__ == "__main__":
    main()
