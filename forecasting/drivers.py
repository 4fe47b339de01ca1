"""What moved a forecast: the total over the protection period, split into parts that add up exactly.

The published mean is made again with the learner's price, event and weather features at their neutral values and
without what signals do (``heat``, see :mod:`forecasting.heat_lift`), then with one group after the other as it really
is; each part is what the mean changed by. Before them stand the level (what sold on a usual period lately, times the
open periods) and the season (what weekday, month, life-cycle age and the models' own view make of it); after them what
preorders and overrides added. Taking groups in one fixed order makes the parts add up; a group's effect is therefore
stated with the groups before it in place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from forecasting.features import Known

__all__ = ["GROUPS", "neutral", "parts", "staged"]

GROUPS = ("price", "event", "weather", "heat")
"""Groups of features, by the beginning of their names, in the order in which they are put back."""

_FAR = ("_ahead", "_behind")  # ends of names of days to an event: neutral is the furthest that shows


def neutral(known: Known, groups: Sequence[str], *, origin: int) -> Known:
    """Return the features with those of ``groups`` at their neutral values from ``origin`` on.

    Ratios and the price itself go to what was usual, flags and heat to 0, days to events to the largest that shows.
    """
    changed: dict[str, NDArray[np.generic]] = {}
    for name, values in known.series.items():
        if not name.startswith(tuple(groups)):
            continue
        flat = values.copy()
        flat[:, origin:] = _usual(name, known.series)[:, origin:]
        changed[name] = flat
    return replace(known, series={**known.series, **changed})


def _usual(name: str, series: Mapping[str, NDArray[np.generic]]) -> NDArray[np.generic]:
    values = series[name]
    if name == "price":
        ratio = np.asarray(series["price_to_mean"], dtype=np.float32)
        usual = np.asarray(values, dtype=np.float32) / np.where(ratio > 0, ratio, 1)
        return np.where(np.isnan(usual), np.asarray(values), usual).astype(values.dtype)
    if name.startswith("price"):
        return np.where(np.isnan(np.asarray(values, dtype=np.float32)), values, 1).astype(values.dtype)
    return np.full_like(values, np.asarray(values).max() if name.endswith(_FAR) else 0)


def staged(
    forecast: Callable[[Known, NDArray[np.int64]], NDArray[np.float32]],
    known: Known,
    made: NDArray[np.float32],
    *,
    origin: int,
) -> dict[str, NDArray[np.float32]]:
    """Return the learner's (n, h) forecasts by stage: ``neutral``, then each group put back; the last is ``made``.

    Groups that the features do not have are left out. From stage to stage only the series that a group moves, whose
    features are not at their neutral values by themselves, are forecast again: with the same features comes the same.

    Args:
        forecast: the learner's, of the series at some positions, whose features it is given.
        known: features of all n series.
        made: (n, h) forecasts with all of them.
        origin: first period ahead.
    """
    present = [g for g in GROUPS if any(name.startswith(g) for name in known.series)]
    out = {"neutral": made} | dict.fromkeys(present, made)
    names = list(out)
    for number, group in reversed(list(enumerate(present))):
        moved = _moved(known, group, origin=origin, n=len(made))
        stage = out[names[number + 1]].copy()
        if len(moved):
            stage[moved] = forecast(neutral(known, present[number:], origin=origin).rows(moved), moved)
        out[names[number]] = stage
    return out


def _moved(known: Known, group: str, *, origin: int, n: int) -> NDArray[np.int64]:
    """Return the positions of the n series of which a feature of ``group`` is not neutral somewhere ahead."""
    flat = neutral(known, [group], origin=origin)
    moved = np.zeros(n, dtype=np.bool_)
    for name, values in known.series.items():
        if not name.startswith(group):
            continue
        ahead, usual = (np.asarray(v[:, origin:], dtype=np.float64) for v in (values, flat.series[name]))
        differs = np.asarray(((ahead != usual) & ~(np.isnan(ahead) & np.isnan(usual))).any(axis=1), dtype=np.bool_)
        moved |= differs[known.group[name]] if name in known.group else differs
    return np.flatnonzero(moved)


def parts(
    level: NDArray[np.float64],
    stages: Mapping[str, NDArray[np.floating]],
    after: Mapping[str, NDArray[np.floating]],
    *,
    lengths: NDArray[np.int64],
) -> dict[str, NDArray[np.float64]]:
    """Return the (n,) parts of the total over the first ``lengths`` periods [units]; they add up to ``total``.

    Args:
        level: (n, h) what sells on a usual period, 0 where the item is not sold.
        stages: stage -> (n, h) published means, in the order of :func:`staged`.
        after: what comes on top -> (n, h) means with it, in order; the last is what is published.
        lengths: (n,) periods of the total, at most h.

    Example:
        >>> one = np.array([[2.0, 2.0]])
        >>> found = parts(one, {"neutral": one + 1}, {"override": one + 3}, lengths=np.array([2]))
        >>> {name: float(v[0]) for name, v in found.items() if v[0]}
        {'level': 4.0, 'season': 2.0, 'override': 4.0, 'total': 10.0}
    """
    inside = np.arange(level.shape[1])[None, :] < lengths[:, None]

    def total(values: NDArray[np.floating]) -> NDArray[np.float64]:
        return np.asarray(np.where(inside, np.nan_to_num(values), 0).sum(axis=1, dtype=np.float64))

    out = {"level": total(level)}
    before = out["level"]
    for name, values in [*((("season" if n == "neutral" else n), v) for n, v in stages.items()), *after.items()]:
        now = total(values)
        out[name] = now - before
        before = now
    zero = np.zeros(len(before))
    names = ("level", "season", *GROUPS, "preorder", "override")
    return {name: out.get(name, zero) for name in names} | {"total": before}
