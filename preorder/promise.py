"""Dates that preorders are promised: from suppliers' real lead times, and never moved in silence.

A delay is the days from the day an order is placed to the day its units can be sold: L + 1 for a lead time L.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from math import ceil

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from preorder.config import PreorderConfig

__all__ = [
    "Cause",
    "Delays",
    "Outlook",
    "delay_outcomes",
    "p_kept",
    "promise_date",
    "real_delays",
    "remaining_outcomes",
    "renewed",
]

Floats = npt.NDArray[np.float64]

_N_OUTCOMES = 199
_SHIP_DAYS = 3  # [days] what has arrived is promised to be shipped within so many
_LEVELS: Floats = (np.arange(_N_OUTCOMES) + 0.5) / _N_OUTCOMES


class Cause(StrEnum):
    """Why a promise moved."""

    LEAD_TIME = "lead_time"  # the supplier needs longer, or proves quicker
    NOT_COMMITTED = "not_committed"  # the batch is not ordered yet, and each day of waiting moves the date
    OVERDUE = "overdue"  # the order is late
    SHORT_SUPPLY = "short_supply"  # what arrived does not reach this claim
    CAMPAIGN_CANCELLED = "campaign_cancelled"
    NOT_SHIPPED = "not_shipped"  # arrived and allocated, and not shipped by the promised date


@dataclass(frozen=True)
class Delays:
    """Log of real over stated delay by supplier, ascending; ``everyone`` pools all suppliers."""

    by_supplier: dict[str, Floats] = field(default_factory=dict)
    everyone: Floats = field(default_factory=lambda: np.array([], dtype=float))


def real_delays(receipts: pd.DataFrame, stated: pd.Series) -> Delays:
    """Return how long suppliers really took against what they stated.

    Args:
        receipts: ``po_id``, ``sku``, ``supplier_id``, ``ordered_date``, ``received_date``. An order line counts with
            its last receipt.
        stated: stated lead time by SKU [days].
    """
    known = receipts.dropna(subset=["ordered_date", "received_date"])
    known = known[known["received_date"] > known["ordered_date"]]
    if known.empty:
        return Delays()
    keys = ["supplier_id", "po_id", "sku"]
    lines = known.assign(supplier_id=known["supplier_id"].fillna("-"))
    lines = lines.groupby(keys, as_index=False, sort=True).agg(
        ordered_date=("ordered_date", "min"), received_date=("received_date", "max")
    )
    usual = lines["sku"].map(stated).astype(float) + 1
    real = (lines["received_date"] - lines["ordered_date"]).dt.days.astype(float)
    ratio = np.log(real.to_numpy(dtype=float) / usual.to_numpy(dtype=float))
    suppliers = lines["supplier_id"].astype(str).to_numpy()
    usable = np.isfinite(ratio)
    groups = {str(s): np.sort(ratio[usable & (suppliers == s)]) for s in np.unique(suppliers[usable])}
    return Delays(groups, np.sort(ratio[usable]))


def delay_outcomes(
    stated_days: float, sd_days: float, supplier_id: str | None, delays: Delays, *, config: PreorderConfig
) -> Floats:
    """Return equally likely delays of an order placed today, shape (199,), ascending [days].

    Quantiles of the supplier's real ratios, averaged with those of the stated lead time (log-normal with its own
    spread, moved by what all suppliers do) by weight ``n / (n + lead_time_prior_orders)``.

    Args:
        stated_days: stated lead time L [days].
        sd_days: its stated spread; 0: unknown [days].
        supplier_id: whose; None: nobody's.
        delays: from :func:`real_delays`.
        config: validated settings.

    Example:
        >>> outcomes = delay_outcomes(20.0, 0.0, None, Delays(), config=PreorderConfig())
        >>> round(float(np.median(outcomes)))
        21
    """
    stated = stated_days + 1
    spread = max(sd_days / stated, config.lead_time_log_sd if sd_days <= 0 else 0.0)
    everyone = delays.everyone
    shift = float(np.median(everyone)) * len(everyone) / (len(everyone) + 20) if len(everyone) else 0.0
    prior = shift + spread * stats.norm.ppf(_LEVELS)
    own = delays.by_supplier.get(supplier_id or "-", np.array([], dtype=float))
    if len(own):
        weight = len(own) / (len(own) + config.lead_time_prior_orders)
        prior = weight * np.quantile(own, _LEVELS) + (1 - weight) * prior
    return np.asarray(np.clip(stated * np.exp(prior), 1.0, None), dtype=float)


def remaining_outcomes(outcomes: Floats, elapsed_days: int) -> Floats:
    """Return the outcomes of an order that has not arrived after ``elapsed_days``, ascending [days from its order].

    Where no outcome is longer, the order is later than anything seen: it is given a tenth of its age again, spread
    evenly.
    """
    longer = outcomes[outcomes > elapsed_days]
    if len(longer) >= 10:
        return longer
    extra = max(2.0, 0.2 * elapsed_days) * _LEVELS
    return np.asarray(np.sort(np.concatenate([longer, elapsed_days + 1 + extra])), dtype=float)


def promise_date(order_date: date, outcomes: Floats, level: float) -> date:
    """Return the day by which the units can be sold with probability ``level``.

    >>> promise_date(date(2026, 6, 28), np.array([10.0, 20.0, 30.0]), 0.5)
    datetime.date(2026, 7, 18)
    """
    return order_date + timedelta(days=ceil(float(np.quantile(outcomes, level)) - 1e-9))


def p_kept(order_date: date, outcomes: Floats, promised: date) -> float:
    """Return P(the units can be sold by ``promised``).

    >>> p_kept(date(2026, 6, 28), np.array([10.0, 20.0, 30.0, 40.0]), date(2026, 7, 18))
    0.5
    """
    return float(np.mean(outcomes <= (promised - order_date).days))


@dataclass(frozen=True)
class Outlook:
    """When the units of a campaign may come: the day their order is or will be placed, and equally likely delays."""

    order_date: date
    outcomes: Floats
    is_ordered: bool


def renewed(
    was: date | None,
    outlook: Outlook,
    *,
    is_served: bool,
    has_arrived: bool,
    run_date: date,
    config: PreorderConfig,
) -> tuple[date | None, Cause | None]:
    """Return the date promised from now on, and the cause where it differs from ``was``.

    A promise stands while it is kept with ``keep_promise_probability``; then it moves to the P90 date, and is told.

    Args:
        was: what the buyer was told; None: nothing yet.
        outlook: of the batch.
        is_served: the claim is allocated in full.
        has_arrived: everything ordered for the campaign is here.
        run_date: business date.
        config: validated settings.
    """
    tomorrow = run_date + timedelta(days=1)
    if is_served or has_arrived:
        if not is_served:
            return None, Cause.SHORT_SUPPLY if was is not None else None
        if was is not None and was >= tomorrow:
            return was, None
        ship_by = run_date + timedelta(days=1 + _SHIP_DAYS)
        return ship_by, Cause.NOT_SHIPPED if was is not None else None
    p90 = promise_date(outlook.order_date, outlook.outcomes, 0.9)
    if was is None:
        return p90, None
    if p_kept(outlook.order_date, outlook.outcomes, was) < config.keep_promise_probability:
        return max(p90, was + timedelta(days=1)), _slip_cause(outlook, run_date)
    if outlook.is_ordered and (was - p90).days >= config.earlier_days:
        return p90, Cause.LEAD_TIME
    return was, None


def _slip_cause(outlook: Outlook, run_date: date) -> Cause:
    if not outlook.is_ordered:
        return Cause.NOT_COMMITTED
    is_late = float(np.median(outlook.outcomes)) < (run_date - outlook.order_date).days
    return Cause.OVERDUE if is_late else Cause.LEAD_TIME
