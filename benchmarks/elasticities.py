"""Elasticity intervals against known truth: the demo shop, and a world that the model does not assume.

    python -m benchmarks.elasticities [HOME]

HOME: a demo home after a night (`merchcast init HOME --demo`, `merchcast run --home HOME`). The second world needs no
home: linear demand, promotions whose effect lasts into the next weeks, prices cut where sales were slow, wandering
demand, negative binomial sales.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from pricing.config import PricingConfig
from pricing.elasticity import estimate_elasticities

__all__ = ["interval_score", "judged", "log_log", "second_world"]

_LEVEL = 0.9
N_WEEKS = 104


def interval_score(low: pd.Series, high: pd.Series, truth: pd.Series) -> pd.Series:
    """Return the interval score of 90% intervals (Gneiting & Raftery 2007): width plus 20 times what lies outside."""
    penalty = 2 / (1 - _LEVEL)
    return (high - low) + penalty * (low - truth).clip(lower=0) + penalty * (truth - high).clip(lower=0)


def log_log(weekly: pd.DataFrame) -> pd.DataFrame:
    """Return the plain alternative: an ordinary log-log regression a SKU, 90% intervals from the t distribution."""
    paid = weekly["price"].where(weekly["price"] > 0)
    rows = weekly.assign(paid=paid.groupby([weekly["sku"], weekly["location_id"]]).ffill())
    rows = rows[(rows["days"] > 0) & rows["paid"].notna()]
    keys = ["sku", "location_id"]
    frame = pd.DataFrame(
        {"y": np.log((rows["units"] + 0.5) / rows["days"]), "x": np.log(rows["paid"]), "sku": rows["sku"]}
    )
    frame[["y", "x"]] = frame[["y", "x"]] - frame[["y", "x"]].groupby([rows[k] for k in keys]).transform("mean")
    found = {}
    for sku, part in frame.groupby("sku"):
        x, y, n = part["x"].to_numpy(), part["y"].to_numpy(), len(part)
        if n >= 8 and (x @ x) > 1e-4:
            slope = float(x @ y / (x @ x))
            error = float(np.sqrt(((y - slope * x) ** 2).sum() / (n - 2) / (x @ x)) * stats.t.ppf(0.95, n - 2))
            found[sku] = (slope, slope - error, slope + error)
    return pd.DataFrame.from_dict(found, orient="index", columns=["elasticity", "elasticity_lo", "elasticity_hi"])


def judged(
    weekly: pd.DataFrame, products: pd.DataFrame, truth: pd.Series, *, config: PricingConfig
) -> dict[str, float]:
    """Return coverage, median width, share no wider than 2, error, and the score against log-log regression."""
    table = estimate_elasticities(weekly, products, config=config)
    own = table[table["sku"] != "*"].set_index("sku")
    known = truth.reindex(own.index)
    plain = log_log(weekly)
    shared = own.index.intersection(plain.index)
    scores = interval_score(own["elasticity_lo"], own["elasticity_hi"], known)
    control = interval_score(plain["elasticity_lo"], plain["elasticity_hi"], known.reindex(plain.index))
    width = own["elasticity_hi"] - own["elasticity_lo"]
    inside = (own["elasticity_lo"] <= known) & (known <= own["elasticity_hi"])
    return {
        "skus": float(len(own)),
        "coverage": float(inside.mean()),
        "median_width": float(width.median()),
        "share_no_wider_than_2": float((width <= 2).mean()),
        "rmse": float(np.sqrt(((own["elasticity"] - known) ** 2).mean())),
        "bias": float((own["elasticity"] - known).mean()),
        "score_better_than_log_log": 1 - float(scores[shared].mean()) / float(control[shared].mean()),
    }


def second_world(n_skus: int = 240, *, seed: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """Return weekly sales, products and true elasticities (at the mean price) of a world of another form.

    Demand is linear in the price and wanders; a promotion lifts its week, and the two after it sell less; each
    four weeks a SKU that sold less than usual is made cheaper and one that sold more dearer, beside chance.
    """
    rng = np.random.default_rng(seed)
    kind = np.arange(n_skus) % 4
    steep = np.clip(1.2 + 0.4 * kind + rng.normal(0, 0.3, n_skus), 0.4, 4.0)
    base = np.exp(rng.normal(2.0, 0.9, n_skus))
    wander = np.cumsum(rng.normal(0, 0.06, (n_skus, N_WEEKS)), axis=1)
    season = 0.3 * np.sin(np.arange(N_WEEKS) / 52 * 2 * np.pi + kind[:, None])
    promoted = rng.random((n_skus, N_WEEKS)) < 0.06
    price = np.ones(n_skus)
    prices, units = np.ones((n_skus, N_WEEKS)), np.zeros((n_skus, N_WEEKS))
    for week in range(N_WEEKS):
        if week >= 8:
            lately, before = units[:, week - 4 : week].mean(axis=1), units[:, week - 8 : week - 4].mean(axis=1)
            answer = np.clip((lately - before) / (before + 1), -0.5, 0.5) * 0.15
            changes = (week + np.arange(n_skus)) % 8 == 0
            drawn = np.clip(np.sqrt(price) * np.exp(answer + rng.normal(0, 0.09, n_skus)), 0.75, 1.3)
            price = np.where(changes, drawn, price)
        prices[:, week] = price
        after = promoted[:, max(week - 2, 0) : week].sum(axis=1)
        lift = np.exp(0.35 * promoted[:, week] - 0.12 * after)
        mean = base * np.maximum(1 + steep * (1 - price), 0.05) * np.exp(wander[:, week] + season[:, week]) * lift
        units[:, week] = rng.poisson(mean * rng.gamma(8.0, 1 / 8.0, n_skus))
    mean_price = prices.mean(axis=1)
    truth = -steep * mean_price / (1 + steep * (1 - mean_price))
    return (
        *_as_frames(prices * 50, units, promoted, kind),
        pd.Series(truth, index=[f"S{i:04d}" for i in range(n_skus)]),
    )


def _as_frames(
    prices: np.ndarray, units: np.ndarray, promoted: np.ndarray, kind: np.ndarray
) -> tuple[pd.DataFrame, pd.DataFrame]:
    n_skus, n_weeks = units.shape
    names = np.array([f"S{i:04d}" for i in range(n_skus)])
    before = np.column_stack([np.zeros(n_skus), promoted[:, :-1]])
    weekly = pd.DataFrame(
        {
            "sku": np.repeat(names, n_weeks),
            "location_id": "web",
            "week": np.tile(pd.date_range("2024-07-01", periods=n_weeks, freq="7D"), n_skus),
            "units": units.ravel(),
            "days": 7.0,
            "price": np.where(units > 0, prices, np.nan).ravel(),
            "regular_price": prices.ravel(),
            "promotion_share": promoted.ravel().astype(float),
            "promotion_before": before.ravel(),
        }
    )
    types = pd.DataFrame(
        {"sku": names, "product_type": [f"T{k}" for k in kind], "category": [f"C{k // 2}" for k in kind]}
    )
    return weekly, types


def demo_world(home: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """Return what the price step of a demo home learns from, and the truth it must not read."""
    from unittest import mock

    from data.settings import load_settings
    from data.step_io import open_step
    from pricing import learning_step

    day = load_settings(home).planning.default_run_date
    assert day is not None
    with (
        open_step("benchmark", home=home, run_date=day) as io,
        mock.patch.object(learning_step, "estimate_elasticities") as seen,
    ):
        learning_step.learnt_elasticities(io, PricingConfig())
    weekly, products = seen.call_args.args
    truth = pd.read_parquet(home / "truth" / "elasticities.parquet").set_index("sku")["elasticity"]
    return weekly, products, truth


def main() -> None:
    """Print the figures."""
    config = PricingConfig()
    for seed in range(5):
        found = judged(*second_world(seed=seed), config=config)
        print(f"second world, seed {seed}: " + "  ".join(f"{k} {v:.3f}" for k, v in found.items()))
    if len(sys.argv) > 1:
        found = judged(*demo_world(Path(sys.argv[1])), config=config)
        print("demo: " + "  ".join(f"{k} {v:.3f}" for k, v in found.items()))


if __name__ == "__main__":
    main()
