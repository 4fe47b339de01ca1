"""The final volume of an open campaign, as a distribution, from its pace so far.

The volume is the units still firm at the close. Comparable closed campaigns are looked at when the same share of
their window was left. The forecasters of ``preorder/pickup.py`` are weighed by their leave-one-out errors there; the
spread comes from the leave-one-out errors of their combination, in units, or growing with the volume as far as that
foretells better (conformal prediction by normalised residuals: Lei et al., JASA 113 (2018), section 5.2).

A prior pace stands in for past campaigns with the weight ``prior_campaigns``, so that the first campaign ever has a
finite, wide answer: *survivors* of what is firm today (the share that past campaigns kept, shrunk to a prior, with
beta-binomial spread) plus log-normal new bookings. No forecast lies below the survivors at the same level.

A distribution is ``N_POINTS`` equally likely outcomes in ascending order.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

from preorder.bookings import Bookings, Snapshot, snapshot
from preorder.comparable import comparable_weights, memory, nearness, pace_grid, present_pace, spacing
from preorder.config import PreorderConfig
from preorder.pickup import Case, Centre, centres

__all__ = ["N_POINTS", "BookingCurve", "weighted_quantiles"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

N_POINTS = 199
_LEVELS: Floats = (np.arange(N_POINTS) + 0.5) / N_POINTS
_MOST_ITEMS = 300  # past items looked at, the most comparable first: keeps a large shop's night short
_LEAST_ITEMS = 2  # leave-one-out needs another
_POWER = 2.0  # weight of a forecaster: 1 / error to this power
_PRESENT_CLOSES = 8.0  # [closes] half-life of the present pace
_SMALL_SHARE = 0.05  # of the usual volume
_GROWTHS = (0.5, 0.75, 1.0)  # errors grow with this power of the volume: 1 is in proportion
_CLEARLY_BETTER = 0.9  # errors that grow are taken where their loss is below this share of that in units
_USUAL_RANGE = 2.0  # beyond half or twice the usual volume, errors in units have no meaning


class BookingCurve:
    """Final volumes of all open items of a night; what they share is worked out once."""

    def __init__(self, bookings: Bookings, *, config: PreorderConfig) -> None:
        self._bookings, self._config = bookings, config
        self._number = {key: i for i, key in enumerate(bookings.keys)}
        self._closed = np.flatnonzero(bookings.is_closed)
        self._grid = pace_grid(bookings)
        self._final = snapshot(bookings, bookings.closes).firm
        self._seen: dict[float, Snapshot] = {}

    def final_volume(self, key: tuple[str, str], *, firm: float | None = None) -> Floats:
        """Return the distribution of units firm at the close, shape (N_POINTS,), ascending, finite, non-negative.

        Args:
            key: campaign and SKU, one of ``bookings.keys``.
            firm: units firm today, where the caller has counted them already; a closed item has no others [units].
        """
        item = self._number[key]
        bookings = self._bookings
        left = float((bookings.closes[item] - bookings.known_until) / bookings.window[item])
        if bookings.is_closed[item] or left <= 0:
            now = self._final[item] if firm is None else firm
            return np.full(N_POINTS, float(now))
        left = min(left, 1.0)
        past, weights = self._comparable(item, left)
        case = self._case(item, past, weights, left)
        here = float(case.firm[-1])
        survivors = _survivors(here, left, case.firm[:-1], case.kept.sum(axis=1), self._config)
        volume = survivors + _prior_bookings(here, left, self._config)
        if len(past) >= _LEAST_ITEMS:
            size = float(weights.sum() ** 2 / (weights**2).sum())
            learned = _learned(centres(case), case.final, case.weights)
            share = 1 / (1 + (self._config.prior_campaigns / size) ** 2)  # the prior knows little: it soon gives way
            volume = share * learned + (1 - share) * volume
        return np.asarray(np.maximum.accumulate(np.maximum(volume, survivors)), dtype=float)

    def _at(self, left: float) -> Snapshot:
        """All items when this share of their window was left."""
        if left not in self._seen:
            self._seen[left] = snapshot(self._bookings, self._bookings.closes - left * self._bookings.window)
        return self._seen[left]

    def _comparable(self, item: int, left: float) -> tuple[Ints, Floats]:
        bookings, closed = self._bookings, self._closed
        closes, final = bookings.closes[closed], self._final[closed]
        pick_up = final - self._at(left).firm[closed]
        instants = closes - left * bookings.window[closed]

        def recency(near: npt.NDArray[np.bool_]) -> float:
            some = np.flatnonzero(near)[-_MOST_ITEMS:]
            return memory(closes[some], instants[some], (final[some], pick_up[some]), config=self._config)

        steps = nearness(bookings.kinds[closed], bookings.kinds[item])
        weights = comparable_weights(steps, closes, recency=recency, config=self._config)
        youngest_first = len(weights) - 1 - np.argsort(-weights[::-1], kind="stable")
        chosen = np.sort(youngest_first[:_MOST_ITEMS])
        return closed[chosen], weights[chosen]

    def _case(self, item: int, past: Ints, weights: Floats, left: float) -> Case:
        bookings, then = self._bookings, self._at(left)
        instants = bookings.closes - left * bookings.window
        both = np.append(past, item)
        rhythm = spacing(bookings.closes[past[weights > 0.5 * weights.max(initial=0.0)]]) if len(past) else np.inf
        level, pick_up = self._present(both, instants[both], then.firm[both], left, rhythm * _PRESENT_CLOSES)
        return Case(
            firm=then.firm[both],
            spread=then.spread[both],
            cohorts=then.cohorts[both],
            kept=then.kept[past],
            later=then.later[past],
            level=level,
            pick_up=pick_up,
            final=self._final[past],
            weights=weights,
        )

    def _present(self, both: Ints, instants: Floats, firm: Floats, left: float, days: float) -> tuple[Floats, Floats]:
        """The pace of the present; campaigns that are still open teach it too."""
        bookings = self._bookings
        still_open = np.setdiff1d(np.flatnonzero(~bookings.is_closed), both)
        is_near = nearness(bookings.kinds[still_open], bookings.kinds[both[-1]]) <= 1
        teachers = still_open[is_near & (bookings.closes[still_open] <= bookings.closes[both[-1]])][:_MOST_ITEMS]
        items = np.append(both, teachers)
        more = self._at(left).firm[teachers]
        at = np.append(instants, np.full(len(teachers), bookings.known_until))
        level, pick_up = present_pace(bookings, self._grid, items, at, np.append(firm, more), left=left, half_days=days)
        return level[: len(both)], pick_up[: len(both)]


def weighted_quantiles(values: Floats, weights: Floats, levels: Floats) -> Floats:
    """Return quantiles of weighted values, linear between the middles of their weights (Hazen).

    >>> weighted_quantiles(np.array([3.0, 1.0]), np.array([1.0, 1.0]), np.array([0.25, 0.5])).tolist()
    [1.0, 2.0]
    """
    order = np.argsort(values, kind="stable")
    ranked, mass = values[order], weights[order]
    middle = (np.cumsum(mass) - 0.5 * mass) / mass.sum()
    return np.asarray(np.interp(levels, middle, ranked), dtype=float)


def _learned(found: list[Centre], final: Floats, weights: Floats) -> Floats:
    """Quantiles of the final volume: the weighed forecasters, and the errors that their combination made."""
    share = weights / weights.sum()
    usual = float(share @ final)
    out = np.array([c.left_out for c in found])
    errors = np.abs(out - final) @ share
    votes = 1 / (errors + 1e-9 + 0.01 * usual) ** _POWER
    votes = votes / votes.sum()
    here, then = float(votes @ np.array([c.here for c in found])), votes @ out
    return np.maximum(here + _spread(final - then, then, here, usual=usual, weights=weights), 0.0)


def _spread(errors: Floats, then: Floats, here: float, *, usual: float, weights: Floats) -> Floats:
    """Return the quantiles of the error at ``here``, from those made at ``then``, shape (N_POINTS,) [units]."""
    floor = _SMALL_SHARE * usual + 1.0  # [units] a proportion of next to nothing has no meaning
    scale, scale_here = np.maximum(then, floor), max(here, floor)
    options = [(g, weighted_quantiles(errors / scale**g, weights, _LEVELS)) for g in (0.0, *_GROWTHS)]
    losses = [_pinball(errors[:, None] - scale[:, None] ** g * q[None, ::10], weights) for g, q in options]
    best = 1 + int(np.argmin(losses[1:]))
    is_usual = usual / _USUAL_RANGE <= here <= usual * _USUAL_RANGE
    growth, quantiles = options[0 if is_usual and losses[best] > _CLEARLY_BETTER * losses[0] else best]
    return np.asarray(scale_here**growth * quantiles, dtype=float)


def _pinball(miss: Floats, weights: Floats) -> float:
    """Weighted mean loss of outcomes less quantiles, shape (n, levels), the levels every tenth of ``_LEVELS``."""
    levels, share = _LEVELS[::10], weights / weights.sum()
    return float(share @ np.maximum(levels * miss, (levels - 1) * miss).mean(axis=1))


def _survivors(firm: float, left: float, firm_then: Floats, kept_then: Floats, config: PreorderConfig) -> Floats:
    """Quantiles of how many of today's firm units stay firm to the close."""
    prior_kept = 1 - config.prior_cancel_share * left
    seen, kept = float(firm_then.sum()), float(kept_then.sum())
    prior_units = max(20.0, config.prior_campaigns * seen / max(len(firm_then), 1))  # [units]
    share = (kept + prior_units * prior_kept) / (seen + prior_units)
    if share >= 1 or firm <= 0:
        return np.full(N_POINTS, max(firm, 0.0) * min(share, 1.0))
    used = firm_then > 0
    between = float(np.var(kept_then[used] / firm_then[used])) if used.sum() >= 3 else 0.02 * share * (1 - share)
    variance = min(share * (1 - share) / max(firm, 1.0) + between, 0.95 * share * (1 - share))
    total = share * (1 - share) / variance - 1  # method of moments of the beta distribution
    return np.asarray(firm * stats.beta.ppf(_LEVELS, share * total, (1 - share) * total), dtype=float)


def _prior_bookings(firm: float, left: float, config: PreorderConfig) -> Floats:
    """Log-normal pick-up of the prior pace: a share f of the window has booked f ** prior_pace of the volume."""
    booked = max(1.0 - left, 1e-3) ** config.prior_pace
    median = (firm + 1.0) * (1 - booked) / booked
    spread = config.prior_log_sd * np.sqrt(left)
    return np.asarray(median * np.exp(spread * stats.norm.ppf(_LEVELS)), dtype=float)
