"""The final volume of an open campaign, as a distribution, from its pace so far.

The volume is the units still firm at the close. Past closed campaigns are looked at when the same share of their
window was left, which gives pairs of ``F`` (firm then) and ``V`` (firm at the close). Four forecasters, each with
its empirical residuals, are combined by averaging their quantiles with weights 1 / leave-one-out error:

- past finals: ``V`` as it was;
- additive pick-up: ``F + (V - F)`` (Talluri & van Ryzin 2004, section 9.3);
- linear: ``V`` on ``F`` by ridge regression, its slope pulled to 0.6;
- log-linear: ``log(1 + V)`` on ``log(1 + F)``, the multiplicative pick-up, its slope pulled to 0.5.

A prior pace stands in for past campaigns with the weight ``prior_campaigns``, so that the first campaign ever has a
finite, wide answer: *survivors* of what is firm today (the share that past campaigns kept, shrunk to a prior, with
beta-binomial spread) plus log-normal new bookings. No forecast lies below the survivors at the same level.

A distribution is ``N_POINTS`` equally likely outcomes in ascending order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from preorder.config import PreorderConfig

__all__ = ["N_POINTS", "PastCampaigns", "final_volume", "past_campaigns", "volume_at"]

Floats = npt.NDArray[np.float64]

N_POINTS = 199
_LEVELS: Floats = (np.arange(N_POINTS) + 0.5) / N_POINTS
_LINEAR = (20.0, 0.6)  # [campaigns] pull of the slope, and to what: early bookings tell part of the final volume
_LOG_LINEAR = (10.0, 0.5)
_LOG_LIMIT = 25.0  # log units: beyond it expm1 has no meaning as a volume


@dataclass(frozen=True)
class PastCampaigns:
    """Bookings of campaigns that have closed, one entry per preorder, ages as a share of the window left.

    ``placed_left`` is 1 at the opening and 0 at the close; ``cancelled_left`` likewise, minus infinity where the
    preorder was not cancelled before the close.
    """

    item: npt.NDArray[np.int64]
    placed_left: Floats
    cancelled_left: Floats
    quantity: Floats
    n_items: int


def past_campaigns(bookings: pd.DataFrame) -> PastCampaigns:
    """Return the bookings of closed campaigns by age.

    Args:
        bookings: one row per preorder within the caps: ``campaign_id``, ``sku``, ``opens_at``, ``closes_at``,
            ``placed_at``, ``cancelled_at``, ``quantity`` [units].
    """
    keys = (
        bookings[["campaign_id", "sku"]].astype(str).agg("\x1f".join, axis=1) if len(bookings) else pd.Series(dtype=str)
    )
    codes, items = pd.factorize(keys, sort=True)
    window = (bookings["closes_at"] - bookings["opens_at"]).dt.total_seconds().clip(lower=1.0)
    placed_days = bookings["closes_at"] - bookings["placed_at"]
    gone_days = bookings["closes_at"] - bookings["cancelled_at"]
    placed: Floats = np.asarray(placed_days.dt.total_seconds() / window, dtype=float)
    gone: Floats = np.asarray(gone_days.dt.total_seconds() / window, dtype=float)
    cancelled: Floats = np.where(np.isnan(gone) | (gone < 0), -np.inf, gone)
    quantity: Floats = bookings["quantity"].to_numpy(dtype=float)
    return PastCampaigns(codes.astype(np.int64), placed, cancelled, quantity, len(items))


def volume_at(past: PastCampaigns, left: float) -> tuple[Floats, Floats, Floats]:
    """Return, per past campaign, firm units at age ``left``, those of them that survived, and what was booked later.

    Args:
        past: from :func:`past_campaigns`.
        left: share of the window left, 0-1.

    Returns:
        Three arrays of shape (n_items,) [units]: firm at that age; of them still firm at the close; firm at the close
        from bookings after that age. The last two add up to the final volume.
    """
    here = past.placed_left >= left
    firm_here = here & ~(past.cancelled_left >= left)
    kept = past.cancelled_left == -np.inf

    def total(mask: npt.NDArray[np.bool_]) -> Floats:
        return np.bincount(past.item[mask], weights=past.quantity[mask], minlength=past.n_items).astype(float)

    return total(firm_here), total(firm_here & kept), total(~here & kept)


def final_volume(firm: float, left: float, past: PastCampaigns, *, config: PreorderConfig) -> Floats:
    """Return the distribution of units firm at the close, shape (N_POINTS,), ascending, finite and non-negative.

    Args:
        firm: units firm today [units].
        left: share of the window left, 0-1; 0 or less: nothing more is booked, only today's firm units count.
        past: closed campaigns.
        config: validated settings.

    Example:
        >>> none = PastCampaigns(np.array([], dtype=np.int64), *(np.array([]),) * 3, 0)
        >>> volume = final_volume(100.0, 0.5, none, config=PreorderConfig())
        >>> bool(volume[19] < volume[99] < volume[179]), bool(volume[19] > 80)
        (True, True)
    """
    if left <= 0:
        return np.full(N_POINTS, float(firm))
    left = min(left, 1.0)
    firm_then, kept_then, later_then = volume_at(past, left)
    survivors = _survivors(firm, left, firm_then, kept_then, config)
    volume = survivors + _prior_bookings(firm, left, config)
    n = past.n_items
    if n:
        weight = n / (n + config.prior_campaigns)
        volume = weight * _learned(firm, firm_then, kept_then + later_then) + (1 - weight) * volume
    return np.asarray(np.maximum.accumulate(np.maximum(volume, survivors)), dtype=float)


def _learned(firm: float, firm_then: Floats, final: Floats) -> Floats:
    """Quantiles of the final volume from past pairs: four forecasters, averaged level by level."""
    one = np.ones(len(final))
    line, line_error = _regression(firm, firm_then, final, *_LINEAR)
    log_here = float(np.log1p(firm))
    log_line, _ = _regression(log_here, np.log1p(firm_then), np.log1p(final), *_LOG_LINEAR)
    _, log_fit = _fit(np.log1p(firm_then), np.log1p(final), *_LOG_LINEAR)
    members = [
        (np.quantile(final, _LEVELS), _left_out(final)),
        (firm + np.quantile(final - firm_then, _LEVELS), _left_out(final - firm_then)),
        (line, line_error),
        (np.expm1(np.clip(log_line, 0, _LOG_LIMIT)), final - np.expm1(np.clip(log_fit, 0, _LOG_LIMIT))),
    ]
    errors = np.array([float(np.mean(np.abs(error))) for _, error in members])
    weights = 1 / (errors + 1e-9 + 0.01 * float(np.mean(final @ one / len(final))))
    weights = weights / weights.sum()
    return np.asarray(sum(w * q for w, (q, _) in zip(weights, members, strict=True)), dtype=float)


def _left_out(y: Floats) -> Floats:
    """Errors of the mean of the others."""
    n = len(y)
    return np.asarray((y - y.mean()) * n / max(n - 1, 1), dtype=float)


def _fit(x: Floats, y: Floats, pull: float, target: float) -> tuple[float, Floats]:
    """Slope of a ridge regression pulled to ``target``, and the leave-one-out fitted values."""
    dx, dy = x - x.mean(), y - y.mean()
    ridge = pull * float(x.var()) + 1e-12
    slope = float((dx @ dy + ridge * target) / (dx @ dx + ridge))
    leverage = np.minimum(1 / len(x) + dx**2 / (dx @ dx + ridge), 0.95)
    return slope, y - (dy - slope * dx) / (1 - leverage)


def _regression(here: float, x: Floats, y: Floats, pull: float, target: float) -> tuple[Floats, Floats]:
    """Quantiles of ``y`` at ``here``, and leave-one-out errors."""
    slope, fitted = _fit(x, y, pull, target)
    residual = y - y.mean() - slope * (x - x.mean())
    inflate = np.sqrt((len(y) + 1) / max(len(y) - 1, 1))  # a new draw, two parameters fitted
    near = float(np.clip(here, x.min() - x.std(), x.max() + x.std()))  # the line is not trusted far from what it saw
    quantiles = y.mean() + slope * (near - x.mean()) + (here - near) + inflate * np.quantile(residual, _LEVELS)
    return quantiles, y - fitted


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
