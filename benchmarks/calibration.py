"""Are the published levels of protection-period totals right, class by class: randomised PIT over several origins.

    python -m benchmarks.calibration [m5] [freshretail] [online_retail] [m5_weeks] [--every N] [--origins ORIGIN ...]
        [--data ../shared/data] [--cache FOLDER]

For each origin, class and level (P50, P80, P90, P95) the mean of P(y < q) + u P(y = q), which is the level itself where
forecasts are right, and pinball of the four over that of the series' own climatology (quantiles of its earlier totals
of the same length). The last table pools the origins: series of one origin move together, so an origin counts as little
more than one case however many series it has. "without the shock" is an oracle that knows what all series of a class
were off by on that origin: what no forecast can know. Demand classes are those as of the origin (ADI 1.32, CV2 0.49).

m5: 21 days from three cutoffs; launches of the last twelve weeks join the sample. freshretail: seven days from the last
six weeks, judged on windows in stock throughout. online_retail and m5_weeks: three weeks, as of every fourth week from
week 13 on.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import polars as pl
from scipy import special

from benchmarks.accuracy_m5 import losses_of, m5_forecast, own_climatology
from benchmarks.decision_shops import LEAD, REVIEW, WeeklySales, m5_by_weeks, made_as_of, online_retail_by_weeks
from benchmarks.stocked_out import AHEAD, DAYS, fresh_forecast, fresh_sales
from forecasting.config import ForecastConfig
from forecasting.forecast import classes_of
from forecasting.intervals import LEVELS
from forecasting.metrics import randomised_pit

CHECKED = (0.5, 0.8, 0.9, 0.95)
AT = [LEVELS.index(level) for level in CHECKED]
FEWEST = 500  # cases of a class that is judged
M5_CUTOFFS = ("2016-01-31", "2016-02-28", "2016-03-27")
YOUNG_DAYS = 83  # launches of twelve weeks: those of the earlier windows teach what tonight's will do
WEEKS = LEAD + REVIEW
SPACING = 4  # [weeks]


@dataclass(frozen=True)
class Origin:
    """Totals of one origin: ``came`` (n,), ``own`` (n, 11) published and ``past`` (n, 4) climatology's quantiles.

    ``step``: of counts 1, 0 for amounts.
    """

    name: str
    classes: np.ndarray
    came: np.ndarray
    own: np.ndarray
    past: np.ndarray
    step: float = 1.0


def m5_origins(folder: Path, every: int, asked: list[str] | None) -> Iterator[Origin]:
    """Yield the daily shop: every n-th item, and all item-stores that came on sale in the twelve weeks before."""
    whole = pl.read_parquet(folder / "m5" / "daily_sales.parquet")
    since = whole.group_by("sku", "location_id").agg(since=pl.col("date").min())
    for text in asked or M5_CUTOFFS:
        cutoff = date.fromisoformat(text)
        young = since.filter(pl.col("since").is_between(cutoff - timedelta(days=YOUNG_DAYS), cutoff)).drop("since")
        inputs, made = m5_forecast(
            folder / "m5", cutoff=cutoff, snap=False, config=ForecastConfig(), every=every, also=young
        )
        length = int(made.spans.fixed[0])
        days = whole.filter(pl.col("date").is_between(cutoff + timedelta(days=1), cutoff + timedelta(days=length)))
        totals = days.group_by("sku", "location_id").agg(came=pl.col("units").sum().cast(pl.Float64))
        keys = inputs.panel.keys.select("sku", "location_id")
        joined = keys.join(totals, on=["sku", "location_id"], how="left", maintain_order="left")
        came = joined["came"].fill_null(0.0).to_numpy()
        past = own_climatology(inputs.panel, length, list(CHECKED))
        yield _origin(text, classes_of(inputs.panel), came, made.totals.quantiles, past)


def fresh_origins(folder: Path, every: int, asked: list[str] | None) -> Iterator[Origin]:
    """Yield the fresh-food shop's last six weeks."""
    sales = fresh_sales(folder, every=every)
    units = sales["units"].to_numpy().astype(float).reshape(-1, DAYS)
    stocked = sales["stockout_hours_6_22"].to_numpy().reshape(-1, DAYS) == 0
    first = sales["date"].min()
    assert isinstance(first, date)
    for at in [int(a) for a in asked] if asked else range(DAYS - 6 * AHEAD, DAYS, AHEAD):
        inputs, made = fresh_forecast(sales, until=first + timedelta(days=at - 1), config=ForecastConfig())
        window = slice(at, at + AHEAD)
        came = np.where(stocked[:, window], units[:, window], np.nan).sum(axis=1)
        past = _climatology(np.where(stocked[:, :at], units[:, :at], np.nan), AHEAD)
        yield _origin(f"day {at}", classes_of(inputs.panel), came, made.totals.quantiles, past, step=0.0)


def weekly_origins(shop: WeeklySales, asked: list[str] | None) -> Iterator[Origin]:
    """Yield a shop that plans by weeks, as of every fourth week."""
    for week in [int(a) for a in asked] if asked else range(13, shop.n_weeks - WEEKS + 1, SPACING):
        inputs, made = made_as_of(shop, week, config=ForecastConfig())
        rows = inputs.targets
        came = shop.units[rows, week : week + WEEKS].sum(axis=1)
        past = _climatology(shop.units[rows, :week], WEEKS)
        yield _origin(f"week {week}", classes_of(inputs.panel.rows(rows)), came, made.totals.quantiles, past)


def _climatology(known: np.ndarray, length: int) -> np.ndarray:
    """Return (n, 4) quantiles of each series' earlier totals; NaN with under four of them."""
    sums = np.lib.stride_tricks.sliding_window_view(known.astype(float), length, axis=1).sum(axis=2)
    enough = (~np.isnan(sums)).sum(axis=1) >= 4
    out = np.full((len(known), len(CHECKED)), np.nan)
    out[enough] = np.nanquantile(sums[enough], CHECKED, axis=1).T
    return out


def _origin(
    name: str, classes: np.ndarray, came: np.ndarray, own: np.ndarray, past: np.ndarray, *, step: float = 1.0
) -> Origin:
    kept = ~np.isnan(came)
    return Origin(name, classes[kept], came[kept], own[kept], past[kept], step)


def shops(folder: Path, every: int | None) -> dict[str, Callable[[list[str] | None], Iterator[Origin]]]:
    """Return what yields the origins of each shop."""
    return {
        "m5": lambda asked: m5_origins(folder, every or 10, asked),
        "freshretail": lambda asked: fresh_origins(folder, every or 3, asked),
        "online_retail": lambda asked: weekly_origins(online_retail_by_weeks(folder, every=every or 1), asked),
        "m5_weeks": lambda asked: weekly_origins(m5_by_weeks(folder, every=every or 12), asked),
    }


def transforms(came: np.ndarray, own: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Return (4,) mean randomised transforms."""
    return np.array([randomised_pit(came, own[:, k], draws) for k in AT])


def places(origin: Origin, members: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Return where what came lies in its distribution (0-1), interpolated between the published levels."""
    own, levels = origin.own[members], np.array(LEVELS)
    below, above = own[:, :, None] > own[:, None, :], own[:, :, None] < own[:, None, :]
    low = np.where(below, levels, 0.0).max(axis=2)
    high = np.where(above, levels, 1.0).min(axis=2)
    at = own - origin.step + origin.step * (levels - low) / (high - low)
    came = origin.came[members] - origin.step * draws
    grid, known = np.concatenate([[0.0], levels]), np.concatenate([np.minimum(at[:, :1], 0) - 1, at], axis=1)
    found = np.array([np.interp(c, row, grid) for c, row in zip(came, known, strict=True)])
    beyond = 0.01 * np.exp(-np.maximum(came - at[:, -1], 0) / np.maximum(at[:, -1] - at[:, -2], 1e-6))
    return np.where(came > at[:, -1], 1 - beyond, found)


def without_shock(origin: Origin, members: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Return the places, had all series of the class been off by nothing together: an oracle."""
    score = special.ndtri(np.clip(places(origin, members, draws), 1e-6, 1 - 1e-6))
    return np.asarray(special.ndtr(score - np.median(score)))


def ratio(origins: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> float:
    """Return pinball over climatology's; what came, published and climatology's quantiles of each origin."""
    ours = theirs = 0.0
    for came, own, past in origins:
        known = ~np.isnan(past[:, 0])
        for i, level in enumerate(CHECKED):
            ours += float(losses_of(came[known], own[known, AT[i]], level).sum())
            theirs += float(losses_of(came[known], past[known, i], level).sum())
    return ours / theirs if theirs > 0 else float("nan")


def line(name: str, origins: list[Origin], class_name: str) -> str | None:
    """Return the figures of one class over the origins; None without a case."""
    rng = np.random.default_rng(1)
    parts, oracle, cells = [], [], []
    for origin in origins:
        members = (origin.classes == class_name) | (class_name == "all")
        if not members.any():
            continue
        draws = rng.random(int(members.sum()))
        parts.append((origin.came[members], origin.own[members], draws))
        oracle.append(without_shock(origin, members, draws))
        cells.append((origin.came[members], origin.own[members], origin.past[members]))
    if not parts:
        return None
    found = transforms(*(np.concatenate(p) for p in zip(*parts, strict=True)))
    known = [float(np.mean(np.concatenate(oracle) < level)) for level in CHECKED]
    cases = sum(len(p[0]) for p in parts)
    off = np.abs(found - np.array(CHECKED)).max()
    verdict = ("within 3 points" if off <= 0.03 else f"OFF by {100 * off:.1f}") if cases >= FEWEST else "too few"
    figures = " ".join(f"{v:.3f}" for v in found)
    known_figures = " ".join(f"{v:.3f}" for v in known)
    return (
        f"  {name:12s} {class_name:13s} {cases:7d} cases  {figures}  pinball {ratio(cells):.3f}  {verdict:16s}"
        f"  without the shock {known_figures}"
    )


def report(name: str, origins: list[Origin]) -> None:
    """Print each origin, and all of them together."""
    classes = [*sorted({str(c) for o in origins for c in o.classes}), "all"]
    for part in [*([o] for o in origins), origins] if len(origins) > 1 else [origins]:
        label = part[0].name if len(part) == 1 else "POOLED"
        for class_name in classes:
            if (text := line(label, part, class_name)) is not None:
                print(text, flush=True)


def kept_or_made(path: Path | None, make: Callable[[], Iterator[Origin]]) -> list[Origin]:
    """Return the origins from the cache, or make them and keep them there."""
    import pickle

    if path is not None and path.exists():
        return list(pickle.loads(path.read_bytes()))
    found = list(make())
    if path is not None:
        path.write_bytes(pickle.dumps(found))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shops", nargs="*", default=["m5", "freshretail", "online_retail", "m5_weeks"])
    parser.add_argument("--every", type=int, default=None, help="every n-th item or series (each shop has its own)")
    parser.add_argument("--origins", nargs="+", default=None, help="cutoffs, or weeks or days of history")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MERCHCAST_TEST_DATA", "../shared/data")))
    parser.add_argument("--cache", type=Path, default=None, help="folder that keeps what was forecast")
    asked = parser.parse_args()
    made = shops(asked.data, asked.every)
    for name in asked.shops:
        started = time.monotonic()
        path = None if asked.cache is None else asked.cache / f"{name}.pkl"
        origins = kept_or_made(path, lambda name=name: made[name](asked.origins))  # type: ignore[misc]
        print(f"{name}: {len(origins)} origins, {time.monotonic() - started:.0f} s; P50 P80 P90 P95", flush=True)
        report(name, origins)


if __name__ == "__main__":
    main()
