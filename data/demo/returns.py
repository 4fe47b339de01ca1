"""Returns: how often things come back, why, and where the shop's texts are to blame."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.demo.catalogue import Catalogue
from data.demo.config import DemoConfig
from data.demo.shop_events import ShopEvent
from data.demo.streams import stream
from data.demo.vocabulary import PRODUCT_TYPES

__all__ = ["REASONS", "ReturnHabits", "return_habits", "return_lift", "returned_lines"]

REASONS: tuple[str, ...] = (
    "size_too_small",
    "size_too_large",
    "fabric",
    "not_as_pictured",
    "changed_mind",
    "damaged",
)
_APPAREL = np.array([0.26, 0.20, 0.17, 0.12, 0.20, 0.05])
_GOODS = np.array([0.0, 0.0, 0.0, 0.25, 0.35, 0.40])
_ADD_ON_LIFT = 1.5  # add-on orders of the festivals' peak days come back more often [ratio]
_SIZE_PROBLEM, _FABRIC_PROBLEM = 2.2, 2.6  # what a wrong text does to its reason's rate [ratio]
POS_SHARE = 0.3  # of the shops' returns are booked as negative order lines at the till (0-1)


@dataclass(frozen=True)
class ReturnHabits:
    """True return behaviour.

    Attributes:
        rate: share of sold units that comes back, shape (n_series,) (0-1).
        reasons: chance of each of ``REASONS`` given a return, shape (n_series, 6).
        problems: planted: ``style_id``, ``size`` (null: all), ``kind`` (size | fabric), ``rate``, ``usual_rate``.
    """

    rate: NDArray[np.float64]
    reasons: NDArray[np.float64]
    problems: pl.DataFrame


def return_habits(config: DemoConfig, shop: Catalogue) -> ReturnHabits:
    """Return the true return rates by series and reason, with the planted text problems."""
    rng = stream(config.seed, "returns")
    kind = shop.by_series("type_index").astype(int)
    usual = np.array([t.return_rate for t in PRODUCT_TYPES])[kind]
    sized = shop.styles["category"].is_in(["costume", "clothing"]).to_numpy()
    style = shop.series["style"].to_numpy()
    style_noise = rng.lognormal(0.0, 0.10, len(shop.styles))[style]
    by_reason = np.where(sized[style][:, None], _APPAREL, _GOODS) * (usual * style_noise)[:, None]
    before = by_reason.sum(axis=1)
    rows: list[dict[str, Any]] = []
    for style_index, size, problem in _problem_picks(config, shop, sized, rng):
        sku = shop.skus["size"].to_numpy()[shop.series["sku_index"].to_numpy()]
        hit = (style == style_index) & ((sku == size) if size is not None else True)
        columns = [0, 1] if problem == "size" else [2]
        factor = _SIZE_PROBLEM if problem == "size" else _FABRIC_PROBLEM
        by_reason[np.ix_(hit, columns)] *= factor
        rows.append(
            {
                "style_id": shop.styles["style_id"][style_index],
                "size": size,
                "kind": problem,
                "usual_rate": float(before[hit].mean()),
                "rate": float(np.minimum(by_reason[hit].sum(axis=1), 0.9).mean()),
            }
        )
    rate = by_reason.sum(axis=1)
    return ReturnHabits(np.minimum(rate, 0.9), by_reason / rate[:, None], pl.DataFrame(rows, infer_schema_length=None))


def _problem_picks(
    config: DemoConfig, shop: Catalogue, sized: NDArray[np.bool_], rng: np.random.Generator
) -> list[tuple[int, str | None, str]]:
    """Choose styles that sell enough for a problem to show: size problems on M, L or XL, fabric ones on all sizes."""
    styles = shop.styles
    long_on_sale = (styles["launch_day"] < config.n_days - 60).to_numpy() & (
        styles["end_day"] > config.n_days
    ).to_numpy()
    weight = styles["popularity"].to_numpy() * (sized & long_on_sale)
    best = np.argsort(-weight, kind="stable")[: int((weight > 0).sum())]
    pool = best[: max(4, len(best) // 2)]
    picks = [int(i) for i in rng.permutation(pool)[: config.n_return_problems + config.n_fabric_problems]]
    cut = max(1, len(picks) - config.n_fabric_problems)
    return [(i, str(rng.choice(["M", "L", "XL"])), "size") for i in picks[:cut]] + [
        (i, None, "fabric") for i in picks[cut:]
    ]


def return_lift(config: DemoConfig, events: list[ShopEvent]) -> NDArray[np.float64]:
    """Return by how much more the sales of each day come back [ratio], shape (n_days,)."""
    lift = np.ones(config.n_days)
    for event in events:
        for peak in (*event.peaks, *(p + timedelta(1) for p in event.peaks)):
            day = (peak - config.start_date).days
            if 0 <= day < config.n_days:
                lift[day] = _ADD_ON_LIFT
    return lift


def returned_lines(
    units: pl.DataFrame, lines: pl.DataFrame, habits: ReturnHabits, *, config: DemoConfig, first_unit: NDArray[np.int64]
) -> pl.DataFrame:
    """Return what came back by order line and day: ``line``, ``series``, ``quantity``, ``reason``, ``pos_draw`` ...

    ``return_second`` counts local seconds since the start; ``pos_draw`` (0-1) decides who books it at the till.

    Args:
        units: returned units: ``series``, ``sale_day``, ``return_day``, in that order of time.
        lines: order lines: ``cell`` (series * n_days + day), ``first_unit`` and ``quantity``, in order of cells.
        habits: reasons by series.
        config: size and seed; what comes back after D is not yet known and left out.
        first_unit: number of the first unit of each cell, shape (n_series * n_days,), -1 where nothing sold.
    """
    rng = stream(config.seed, "return_lines")
    known = units.with_columns(cell=pl.col("series").cast(pl.Int64) * config.n_days + pl.col("sale_day"))
    known = known.with_columns(nth=pl.int_range(pl.len()).over("cell"))
    unit = first_unit[known["cell"].to_numpy()] + known["nth"].to_numpy()
    line = np.searchsorted(lines["first_unit"].to_numpy(), unit, side="right") - 1
    shares = np.cumsum(habits.reasons, axis=1)[known["series"].to_numpy()]
    reason = (rng.random(len(known))[:, None] > shares).sum(axis=1).clip(0, len(REASONS) - 1)
    frame = known.select("series", "return_day", "is_resold").with_columns(
        line=pl.Series(line), reason=pl.Series(np.array(REASONS)[reason])
    )
    frame = (
        frame.filter(pl.col("return_day") < config.n_days)
        .group_by("line", "return_day", maintain_order=True)
        .agg(pl.len().alias("quantity"), pl.col("series", "reason").first())
        .sort("return_day", "line")
    )
    second = frame["return_day"].to_numpy() * 86_400 + rng.integers(9 * 3600, 21 * 3600, len(frame))
    return frame.with_columns(return_second=pl.Series(second), pos_draw=pl.Series(rng.random(len(frame))))
