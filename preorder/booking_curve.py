"""The final volume of an open campaign, as a distribution, from its pace so far.

Units still firm at the close = survivors of what is firm today + new bookings net of their own cancellations.
*Survivors*: the share of firm units that past campaigns kept from the same age to their close, shrunk to a prior,
with beta-binomial spread. *New bookings*: two pick-up models over past closed campaigns at the same share of the
window, combined by averaging their quantiles (Vincent 1912):
additive, ``P`` itself; log-linear, ``log(1 + P)`` on ``log(1 + F)`` by ridge regression to slope 1, with the empirical
residuals (Talluri & van Ryzin 2004, section 9.3, on pick-up forecasting). A prior pace stands in for past campaigns:
it weighs ``prior_campaigns``, so that the first campaign ever has a finite, wide answer.

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
_RIDGE = 4.0  # [campaigns] pull of the log-linear slope to 1
_SLOPE_RANGE = (0.0, 1.5)


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
    keys = bookings[["campaign_id", "sku"]].astype(str).agg("\x1f".join, axis=1) if len(bookings) else pd.Series(dtype=str)
    codes, items = pd.factorize(keys, sort=True)
    window = (bookings["closes_at"] - bookings["opens_at"]).dt.total_seconds().clip(lower=1.0)
    placed = ((bookings["closes_at"] - bookings["placed_at"]).dt.total_seconds() / window).to_numpy(dtype=float)
    cancelled = ((bookings["closes_at"] - bookings["cancelled_at"]).dt.total_seconds() / window).to_numpy(dtype=float)
    cancelled = np.where(np.isnan(cancelled) | (cancelled < 0), -np.inf, cancelled)
    quantity = bookings["quantity"].to_numpy(dtype=float)
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
    survivors = _survivors(firm, firm_then, kept_then, config, left)
    new = _new_bookings(firm, left, firm_then, later_then, config)
    outcomes = np.add.outer(survivors, new).ravel()
    return np.sort(np.quantile(np.clip(outcomes, 0, None), _LEVELS))


def _survivors(firm: float, firm_then: Floats, kept_then: Floats, config: PreorderConfig, left: float) -> Floats:
    """Nine equally likely numbers of today's firm units that stay firm to the close."""
    levels = (np.arange(9) + 0.5) / 9
    prior_lost = config.prior_cancel_share * left
    seen, kept = float(firm_then.sum()), float(kept_then.sum())
    prior_units = max(20.0, config.prior_campaigns * (seen / max(len(firm_then), 1)))  # [units]
    share = (kept + prior_units * (1 - prior_lost)) / (seen + prior_units)
    used = firm_then > 0
    shares = kept_then[used] / firm_then[used]
    between = float(np.var(shares)) if len(shares) >= 3 else 0.25 * share * (1 - share)
    variance = share * (1 - share) / max(firm, 1.0) + between
    if share >= 1 or variance <= 0:
        return np.full(9, firm * min(share, 1.0))
    spread = min(variance, 0.95 * share * (1 - share))
    total = share * (1 - share) / spread - 1  # method of moments of the beta distribution
    return np.asarray(firm * stats.beta.ppf(levels, share * total, (1 - share) * total), dtype=float)


def _new_bookings(firm: float, left: float, firm_then: Floats, later: Floats, config: PreorderConfig) -> Floats:
    prior = _prior_bookings(firm, left, config)
    n = len(later)
    if n == 0:
        return prior
    additive = np.quantile(later, _LEVELS)
    log_linear = _log_linear(firm, firm_then, later)
    weight = n / (n + config.prior_campaigns)
    return np.asarray(weight * (additive + log_linear) / 2 + (1 - weight) * prior, dtype=float)


def _log_linear(firm: float, firm_then: Floats, later: Floats) -> Floats:
    x, y = np.log1p(firm_then), np.log1p(later)
    dx, dy = x - x.mean(), y - y.mean()
    slope = float((dx @ dy + _RIDGE * x.var()) / (dx @ dx + _RIDGE * x.var())) if x.var() > 0 else 0.0
    slope = float(np.clip(slope, *_SLOPE_RANGE))
    residual = dy - slope * dx
    # no further from the campaigns seen than their own spread: the line is not trusted beyond them
    here = float(np.clip(np.log1p(firm), x.min() - x.std(), x.max() + x.std()))
    centre = y.mean() + slope * (here - x.mean())
    inflate = np.sqrt((len(y) + 1) / max(len(y) - 1, 1))  # a new draw, two parameters fitted
    return np.expm1(np.clip(centre + inflate * np.quantile(residual, _LEVELS), 0, 25)).astype(float)


def _prior_bookings(firm: float, left: float, config: PreorderConfig) -> Floats:
    """Log-normal pick-up of the prior pace: a share f of the window has booked f ** prior_pace of the volume."""
    booked = max(1.0 - left, 1e-3) ** config.prior_pace
    median = (firm + 1.0) * (1 - booked) / booked
    spread = config.prior_log_sd * np.sqrt(left)
    return np.asarray(median * np.exp(spread * stats.norm.ppf(_LEVELS)), dtype=float)
