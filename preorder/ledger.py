"""The ledger: every preorder with the part of it that is a firm claim, and why.

Nothing is merged or dropped. A preorder that may not claim (no campaign for its SKU, placed after the close or, where
the shop wants that, before the opening, above a cap) stays in the ledger as ``refused`` or clipped, with its reason,
and is never allocated.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum

import numpy as np
import pandas as pd

from preorder.campaigns import COMMITTED_STATES, CampaignHistory, State
from preorder.config import PreorderConfig

__all__ = ["LedgerReason", "LedgerState", "identities", "ledger_lines", "ledger_root", "preorder_ledger"]


class LedgerState(StrEnum):
    """Where a preorder stands."""

    PLACED = "placed"  # the campaign still takes preorders
    FIRM = "firm"  # the campaign has closed
    ALLOCATED = "allocated"
    SHIPPED = "shipped"
    CANCELLED = "cancelled"
    REFUSED = "refused"


class LedgerReason(StrEnum):
    """Why a preorder claims what it claims."""

    ACCEPTED = "accepted"
    CANCELLED = "cancelled"
    CANCELLED_AGAINST_RULES = "cancelled_against_rules"  # recorded all the same: the buyer no longer wants it
    CANCELLED_TOO_LATE = "cancelled_too_late"  # likewise; the deposit is forfeit
    CAMPAIGN_CANCELLED = "campaign_cancelled"
    DEPOSIT_MISSING = "deposit_missing"
    ABOVE_CHANNEL_QUOTA = "above_channel_quota"
    NO_CAMPAIGN = "no_campaign"
    AFTER_CLOSE = "after_close"
    BEFORE_OPEN = "before_open"  # counted or refused, as ``early_preorders`` says: the state tells
    ABOVE_IDENTITY_CAP = "above_identity_cap"
    ABOVE_BATCH_CAP = "above_batch_cap"
    POSSIBLE_DUPLICATE = "possible_duplicate"  # flagged, never merged


_CLAIM_KEY = ["campaign_id", "sku"]
_CENT = 0.01  # [currency] money that differs by less is the same


def preorder_ledger(
    preorders: pd.DataFrame,
    campaigns: pd.DataFrame,
    histories: dict[str, CampaignHistory],
    shipped: pd.Series,
    allocated: pd.Series,
    *,
    known_until: pd.Timestamp,
    config: PreorderConfig,
) -> pd.DataFrame:
    """Return one row per preorder, ordered by ``preorder_id``, in the shape of the table ``preorder_ledger``.

    Claims are counted in the order in which they were placed. Within one campaign and SKU an identity (``buyer_ref``;
    an unknown buyer is an identity of its own) claims at most ``identity_cap`` units, so that splitting an order
    gains nothing, and a channel at most its quota; first come, first served, a claim ends at ``max_batch_qty``, beyond
    which nothing can be made. Under the other rules a single claim is cut to it.

    Args:
        preorders: as ``stg_preorders``; ``cancelled_at`` after the run date is null already.
        campaigns: as ``stg_preorder_campaigns``.
        histories: from :func:`preorder.campaigns.campaign_histories`.
        shipped: units shipped so far by ``preorder_id`` [units].
        allocated: units allocated by the last published run by ``preorder_id`` [units].
        known_until: the instant at which the run date closes.
        config: validated settings.
    """
    rows = _with_campaign(preorders, campaigns)
    rows = rows.sort_values(["placed_at", "preorder_id"], kind="stable", ignore_index=True)
    reason = _first_reason(rows, histories, config)
    counts = reason.isna()
    wanted = rows["quantity"].astype("int64").where(counts, 0)
    within_identity = _clip_running(wanted, [*_CLAIM_KEY, "identity"], rows, rows["identity_cap"])
    within_quota = _clip_running(within_identity, [*_CLAIM_KEY, "channel"], rows, _quotas(rows, config))
    is_fifo = rows["allocation"].fillna("fifo").eq("fifo").to_numpy()
    in_batch = _clip_running(within_quota, _CLAIM_KEY, rows, rows["max_batch_qty"])
    single = np.minimum(within_quota, _cap_values(rows["max_batch_qty"]))
    firm = pd.Series(np.where(is_fifo, in_batch, single), index=rows.index).astype("int64")
    reason = reason.mask(counts & (firm < within_quota), LedgerReason.ABOVE_BATCH_CAP)
    reason = reason.mask(counts & (within_quota < within_identity), LedgerReason.ABOVE_CHANNEL_QUOTA)
    reason = reason.mask(counts & (within_identity < wanted), LedgerReason.ABOVE_IDENTITY_CAP)
    reason = reason.mask(reason.isna() & _possible_duplicates(rows, config), LedgerReason.POSSIBLE_DUPLICATE)
    reason = reason.mask(reason.isna() & _is_early(rows), LedgerReason.BEFORE_OPEN)
    reason = reason.fillna(LedgerReason.ACCEPTED)
    state = _states(rows, reason, firm, histories, shipped, allocated, known_until)
    ledger = rows.assign(firm_qty=firm, state=state, reason=reason.astype(object))
    columns = ["preorder_id", *_CLAIM_KEY, "location_id", "placed_at", "cancelled_at", "quantity", "firm_qty"]
    return ledger[[*columns, "state", "buyer_ref", "reason"]].sort_values("preorder_id", ignore_index=True)


def identities(ledger: pd.DataFrame) -> pd.Series:
    """Return who stands behind each row: ``buyer_ref``, or the preorder itself where the buyer is unknown."""
    own = "?" + ledger["preorder_id"].astype(str)
    known = ledger["buyer_ref"].notna() & ledger["buyer_ref"].ne("")
    return ledger["buyer_ref"].where(known, own)


def ledger_lines(ledger: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the ledger that its root counts, in their order: all that were placed before the close.

    Neither a cancellation nor a cap takes a line out, so what is published at the close stays true.
    """
    never = [LedgerReason.NO_CAMPAIGN.value, LedgerReason.AFTER_CLOSE.value]
    counted = ledger[~ledger["reason"].isin(never)] if "reason" in ledger.columns else ledger
    return counted.sort_values(["placed_at", "preorder_id"], kind="stable")


def ledger_root(ledger: pd.DataFrame) -> str:
    """Return the root hash of a campaign's ledger: SHA-256 over its lines, each chained to the one before.

    A line is ``preorder_id|sku|placed_at|quantity`` with the instant in UTC to the microsecond; lines are those of
    :func:`ledger_lines`. What is published at the close can be computed by anyone; a preorder put in later changes it.

    >>> empty = pd.DataFrame({"preorder_id": [], "sku": [], "placed_at": [], "quantity": []})
    >>> ledger_root(empty)[:8]
    'e3b0c442'
    """
    digest = hashlib.sha256(b"").hexdigest()
    for row in ledger_lines(ledger).to_dict("records"):
        instant = pd.Timestamp(row["placed_at"]).tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        line = f"{digest}|{row['preorder_id']}|{row['sku']}|{instant}|{row['quantity']}"
        digest = hashlib.sha256(line.encode()).hexdigest()
    return digest


def _with_campaign(preorders: pd.DataFrame, campaigns: pd.DataFrame) -> pd.DataFrame:
    terms = ["opens_at", "closes_at", "max_batch_qty", "identity_cap", "allocation", "cancellable", "deposit"]
    joined = preorders.reindex(columns=[*preorders.columns.union(["channel", "deposit_paid"], sort=False)])
    joined = joined.merge(campaigns.reindex(columns=[*_CLAIM_KEY, *terms]), on=_CLAIM_KEY, how="left", validate="m:1")
    return joined.assign(identity=identities(joined))


def _quotas(rows: pd.DataFrame, config: PreorderConfig) -> pd.Series:
    """The most units of each row's channel; null: no quota. A share needs a largest batch to be a share of."""
    quota = rows["channel"].map(config.channel_quotas).astype("Float64")
    of_batch = quota * rows["max_batch_qty"].astype("Float64")
    return (of_batch.where((quota <= 1).fillna(False), quota) + 1e-9) // 1


def cancelled_too_late(rows: pd.DataFrame, histories: dict[str, CampaignHistory], config: PreorderConfig) -> pd.Series:
    """Return whether each row was cancelled after the last moment at which its campaign let buyers go free."""
    ends = {c: h.closed_at if config.cancel_until == "closed" else h.committed_at for c, h in histories.items()}
    end = pd.to_datetime(rows["campaign_id"].map(ends), utc=True)
    return rows["cancelled_at"].notna() & end.notna() & (rows["cancelled_at"] > end)


def _while_paused(rows: pd.DataFrame, histories: dict[str, CampaignHistory]) -> pd.Series:
    """Placed between a close and an extension: refused for good, or the root published at the close would not hold."""
    paused = pd.Series(False, index=rows.index)
    for campaign, history in histories.items():
        for closed, opened in history.pauses:
            within = (rows["placed_at"] > closed) & (rows["placed_at"] < opened)
            paused = paused | (rows["campaign_id"].eq(campaign) & within)
    return paused


def _first_reason(rows: pd.DataFrame, histories: dict[str, CampaignHistory], config: PreorderConfig) -> pd.Series:
    """The reason why a row claims nothing, else null; the first that holds counts."""
    no_campaign = rows["closes_at"].isna()
    cancelled = rows["cancelled_at"].notna()
    against = cancelled & rows["cancellable"].astype("boolean").eq(False).fillna(False).astype(bool)
    closed_at = pd.to_datetime(rows["campaign_id"].map({c: h.closed_at for c, h in histories.items()}), utc=True)
    dead = {c for c, h in histories.items() if h.state is State.CANCELLED}
    choices: list[tuple[pd.Series, LedgerReason]] = [
        (no_campaign, LedgerReason.NO_CAMPAIGN),
        ((rows["placed_at"] > rows["closes_at"]) | (rows["placed_at"] > closed_at), LedgerReason.AFTER_CLOSE),
        (_while_paused(rows, histories), LedgerReason.AFTER_CLOSE),
        (against, LedgerReason.CANCELLED_AGAINST_RULES),
        (cancelled_too_late(rows, histories, config), LedgerReason.CANCELLED_TOO_LATE),
        (cancelled, LedgerReason.CANCELLED),
        (rows["campaign_id"].isin(dead), LedgerReason.CAMPAIGN_CANCELLED),
    ]
    if config.early_preorders == "refuse":
        choices.append((_is_early(rows), LedgerReason.BEFORE_OPEN))
    if config.require_deposit:
        due = rows["deposit"].astype(float).fillna(0) * rows["quantity"].astype(float)
        choices.append((rows["deposit_paid"].astype(float).fillna(0) < due - _CENT / 2, LedgerReason.DEPOSIT_MISSING))
    reason = pd.Series([None] * len(rows), index=rows.index, dtype=object)
    for holds, code in choices:
        reason = reason.mask(reason.isna() & holds, code)
    return reason


def _is_early(rows: pd.DataFrame) -> pd.Series:
    return rows["opens_at"].notna() & (rows["placed_at"] < rows["opens_at"])


def _cap_values(cap: pd.Series) -> np.ndarray:
    return cap.astype("Float64").fillna(np.inf).to_numpy(dtype=float)


def _clip_running(wanted: pd.Series, by: list[str], rows: pd.DataFrame, cap: pd.Series) -> pd.Series:
    """Cut each quantity to what the running total of its group leaves under the cap, in the order of the rows."""
    before = wanted.groupby([rows[c] for c in by], sort=False, dropna=False).cumsum() - wanted
    room = np.clip(_cap_values(cap) - before.to_numpy(), 0, None)
    return pd.Series(np.minimum(wanted.to_numpy(), room), index=wanted.index).astype("int64")


def _possible_duplicates(rows: pd.DataFrame, config: PreorderConfig) -> pd.Series:
    """A known buyer's second preorder of the same SKU and quantity within a few seconds of the first."""
    gap = rows.groupby([*_CLAIM_KEY, "identity", "quantity"], sort=False)["placed_at"].diff()
    return gap.notna() & (gap <= pd.Timedelta(seconds=config.duplicate_seconds))


def _states(
    rows: pd.DataFrame,
    reason: pd.Series,
    firm: pd.Series,
    histories: dict[str, CampaignHistory],
    shipped: pd.Series,
    allocated: pd.Series,
    known_until: pd.Timestamp,
) -> pd.Series:
    closed = rows["closes_at"].le(known_until).fillna(False).to_numpy()
    past_open = {c for c, h in histories.items() if h.state in COMMITTED_STATES or h.state is State.CLOSED}
    closed = closed | rows["campaign_id"].isin(past_open).to_numpy()
    units_shipped = rows["preorder_id"].map(shipped).fillna(0).to_numpy(dtype=float)
    units_allocated = rows["preorder_id"].map(allocated).fillna(0).to_numpy(dtype=float)
    cancelled_codes = [
        LedgerReason.CANCELLED,
        LedgerReason.CANCELLED_AGAINST_RULES,
        LedgerReason.CANCELLED_TOO_LATE,
        LedgerReason.CAMPAIGN_CANCELLED,
    ]
    claims = firm.to_numpy() > 0
    return pd.Series(
        np.select(
            [
                reason.isin(cancelled_codes),
                ~claims,
                units_shipped >= firm.to_numpy(),
                units_allocated > 0,
                closed,
            ],
            [
                LedgerState.CANCELLED,
                LedgerState.REFUSED,
                LedgerState.SHIPPED,
                LedgerState.ALLOCATED,
                LedgerState.FIRM,
            ],
            default=LedgerState.PLACED,
        ),
        index=rows.index,
        dtype=object,
    )
