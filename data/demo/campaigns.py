"""When preorder campaigns open, close, are produced and arrive: the schedule, before anybody books."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from data.demo.config import DemoConfig
from data.demo.suppliers import SUPPLIERS, closed_spans, expected_receipt_date, true_lead_times

__all__ = ["CampaignPlan", "campaign_schedule"]

_COMMIT_AFTER_DAYS = 2  # the shop decides two days after the close
_SLACK_DAYS = 14  # what the shop adds to the nominal lead time when it promises a date


@dataclass(frozen=True)
class CampaignPlan:
    """One campaign's dates as day numbers (0 = first day of the history; D = n_days - 1).

    ``fate`` is what becomes of it: fulfilled, cancelled, in_production, waiting (closed, undecided on D) or open.
    ``receive_day`` is the true day the batch arrives, -1 where none does before D.
    """

    campaign_id: str
    style_index: int
    supplier_id: str
    open_day: int
    close_day: int
    commit_day: int
    promised_day: int
    receive_day: int
    fate: str


def campaign_schedule(
    styles: list[int], suppliers: list[str], *, config: DemoConfig, rng: np.random.Generator
) -> list[CampaignPlan]:
    """Return one campaign a style: first the past ones, then those open on D.

    Args:
        styles: style numbers, one a campaign, past campaigns first.
        suppliers: their suppliers' ids, same order.
        config: how many are past and open.
        rng: the campaigns' random stream.
    """
    past, total = config.n_past_campaigns, config.n_past_campaigns + config.n_open_campaigns
    n_cancelled, n_producing = max(1, past // 8), max(1, past // 10)
    n_waiting = max(1, config.n_open_campaigns // 5)
    fates = (
        ["fulfilled"] * (past - n_cancelled - n_producing)
        + ["cancelled"] * n_cancelled
        + ["in_production"] * n_producing
        + ["waiting"] * n_waiting
        + ["open"] * (total - past - n_waiting)
    )
    return [
        _plan(f"CMP-{i + 1:03d}", style, supplier_id, fate, config, rng)
        for i, (style, supplier_id, fate) in enumerate(zip(styles, suppliers, fates, strict=True))
    ]


def _plan(
    campaign_id: str, style: int, supplier_id: str, fate: str, config: DemoConfig, rng: np.random.Generator
) -> CampaignPlan:
    """Return one campaign whose dates suit its fate."""
    supplier = next(s for s in SUPPLIERS if s.supplier_id == supplier_id)
    lead, last = supplier.lead_time_days, config.n_days - 1
    length = int(rng.integers(14, 36))
    true_lead = int(true_lead_times(supplier, 1, rng)[0])
    if fate == "open":
        close_day = last + int(rng.integers(3, length - 4))
    elif fate == "waiting":
        close_day = last - int(rng.integers(0, 2))
    elif fate == "in_production":
        close_day = last - int(rng.integers(6, max(7, lead - 2)))
        true_lead = last - close_day + int(rng.integers(3, 15))
    else:
        close_day = int(rng.integers(length, max(length + 1, last - lead - 30)))
    commit_day = close_day + _COMMIT_AFTER_DAYS
    start = config.start_date
    spans = closed_spans(supplier_id, first=start, last=start + timedelta(days=commit_day + 3 * lead + 60))
    commit_date = start + timedelta(days=commit_day)
    nominal = expected_receipt_date(commit_date, lead, spans)
    actual = (expected_receipt_date(commit_date, true_lead, spans) - start).days
    if fate == "fulfilled":  # it has to have come before D
        actual = min(actual, last - 2)
    return CampaignPlan(
        campaign_id=campaign_id,
        style_index=style,
        supplier_id=supplier_id,
        open_day=close_day - length,
        close_day=close_day,
        commit_day=commit_day,
        promised_day=(nominal - start).days + _SLACK_DAYS,
        receive_day=actual if fate in {"fulfilled", "in_production"} else -1,
        fate=fate,
    )
