"""How good the forecasts were: tables for reports, from forecasts made before the fact."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.contracts import QUANTILES
from forecasting.backtest import Trial
from forecasting.metrics import bias, coverage, pinball, rmsse, wape
from forecasting.models import CONTROL
from forecasting.selection import Choice, single

__all__ = ["accuracy_table", "confidence", "horizons", "series_errors", "with_confidence"]

TOTAL = "total"
_NAMES = list(QUANTILES)

_HIGH_WAPE, _HIGH_BIAS = 0.5, 0.25  # a line whose total over four weeks was within these is trusted
_LOW_WAPE, _LOW_BIAS = 1.2, 0.75


def horizons(length: int) -> list[tuple[int, int]]:
    """Return the ranges of periods ahead that are reported, first and last, the whole window last.

    >>> horizons(28)
    [(1, 7), (8, 14), (15, 28), (1, 28)]
    >>> horizons(4)
    [(1, 1), (2, 2), (3, 4), (1, 4)]
    """
    first, second = max(length // 4, 1), max(length // 2, 1)
    parts = [(1, first), (first + 1, second), (second + 1, length)]
    return [*[(a, b) for a, b in parts if a <= b < length or (a <= b == length and a > 1)], (1, length)]


def accuracy_table(
    trial: Trial,
    mean: NDArray[np.float32],
    quantiles: NDArray[np.float64],
    classes: NDArray[np.str_],
    choices: Mapping[str, Choice],
) -> pl.DataFrame:
    """Return ``forecast_accuracy``: one row for each class (and ``total``) and range of periods ahead.

    Args:
        trial: the window that is judged.
        mean: (n, h) means, made with weights from before the window.
        quantiles: (n, h, 11) likewise.
        classes: (n,) classes.
        choices: what is published by class.
    """
    rows = []
    for segment in [*sorted(set(classes.tolist())), TOTAL]:
        members = np.flatnonzero((classes == segment) | (segment == TOTAL))
        choice = single(dict(choices), segment)
        for first, last in horizons(trial.actual.shape[1]):
            at = np.ix_(members, np.arange(first - 1, last))
            rows.append(
                {"segment": segment, "horizon": f"{first}-{last}"}
                | _figures(trial, mean, quantiles, at)
                | {"champion": choice.champion, "runner_up": choice.runner_up, "margin": choice.margin}
            )
    return pl.DataFrame(rows).with_columns(pl.selectors.float().fill_nan(None))


def _figures(
    trial: Trial, mean: NDArray[np.float32], quantiles: NDArray[np.float64], at: tuple[NDArray[np.int64], ...]
) -> dict[str, float | int]:
    actual = trial.actual[at].astype(np.float64)
    actual = np.where(np.isnan(mean[at]), np.nan, actual)
    control = trial.forecasts[CONTROL][at]
    ours, theirs = wape(actual, mean[at]), wape(np.where(np.isnan(control), np.nan, actual), control)
    known = ~np.isnan(actual)
    level = float(actual[known].mean()) if known.any() else 0.0
    losses = pinball(actual, {q: quantiles[at][:, :, k] for k, q in enumerate(QUANTILES.values())})
    scaled = rmsse(actual, mean[at], trial.scales[at[0][:, 0]])
    return {
        "n_series": int(known.any(axis=1).sum()),
        "wape": ours,
        "bias": bias(actual, mean[at]),
        "rmsse": float(np.nanmean(scaled)) if np.isfinite(scaled).any() else float("nan"),
        "pinball": losses / level if level > 0 else float("nan"),
        "coverage_80": coverage(
            actual, quantiles[at][:, :, _NAMES.index("q10")], quantiles[at][:, :, _NAMES.index("q90")]
        ),
        "value_added": 1 - ours / theirs if theirs > 0 else float("nan"),
    }


def series_errors(
    keys: pl.DataFrame, trial: Trial | None, mean: NDArray[np.float32] | None, *, n_windows: int
) -> pl.DataFrame:
    """Return WAPE and bias of each series over the last window: sku, location_id, wape, bias, n_windows.

    Args:
        keys: (n,) sku, location_id.
        trial: the last window; None where the history was too short for one.
        mean: (n, h) means made before it.
        n_windows: windows judged.
    """
    n = keys.height
    if trial is None or mean is None:
        error, tilt, judged = np.full(n, np.nan), np.full(n, np.nan), np.zeros(n, dtype=np.int64)
    else:
        known = ~np.isnan(trial.actual) & ~np.isnan(mean)
        actual = np.where(known, trial.actual, 0).astype(np.float64)
        ours = np.where(known, mean, 0).astype(np.float64)
        total = actual.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            error = np.where(total > 0, np.abs(ours - actual).sum(axis=1) / total, np.nan)
            tilt = np.where(total > 0, (ours.sum(axis=1) - total) / total, np.nan)
        judged = np.where(known.any(axis=1), n_windows, 0)
    return keys.select("sku", "location_id").with_columns(
        wape=pl.Series(error, dtype=pl.Float64).fill_nan(None),
        bias=pl.Series(tilt, dtype=pl.Float64).fill_nan(None),
        n_windows=pl.Series(judged, dtype=pl.Int64),
    )


def with_confidence(keys: pl.DataFrame, errors: pl.DataFrame, level: NDArray[np.int64]) -> pl.DataFrame:
    """Return ``series_accuracy``: the errors of each series of ``keys``, and how far to trust its forecast.

    Args:
        keys: (n,) sku, location_id.
        errors: as :func:`series_errors` gives them; series that are not in it were never judged.
        level: (n,) rung of tonight's forecast.
    """
    found = keys.select("sku", "location_id").join(errors, on=["sku", "location_id"], how="left", maintain_order="left")
    error, tilt = (found[name].cast(pl.Float64).fill_null(float("nan")).to_numpy() for name in ("wape", "bias"))
    return found.with_columns(
        pl.col("n_windows").fill_null(0), confidence=pl.Series(confidence(error, tilt, level), dtype=pl.String)
    )


def confidence(error: NDArray[np.float64], tilt: NDArray[np.float64], level: NDArray[np.int64]) -> list[str]:
    """Return high, medium or low for each series.

    High: rung 0 or 1, WAPE at most 0.5 and bias within 25% over the last window. Low: a rung above 1, WAPE above 1.2
    together with a bias beyond 75%, or less than a quarter of what sold foreseen: there WAPE stays below 1. Otherwise,
    and with nothing sold to measure by, medium.
    """
    with np.errstate(invalid="ignore"):
        high = (level <= 1) & (error <= _HIGH_WAPE) & (np.abs(tilt) <= _HIGH_BIAS)
        low = (level >= 2) | ((error > _LOW_WAPE) & (np.abs(tilt) > _LOW_BIAS)) | (tilt < -_LOW_BIAS)
    return [str(c) for c in np.select([low, high], ["low", "high"], "medium").tolist()]
