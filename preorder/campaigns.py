"""States of a preorder campaign: legal moves only, and what the clock does to a campaign that nobody moved.

A campaign goes open -> threshold met -> closed -> committed -> in production -> received -> allocated -> shipped,
or is cancelled before it is committed. A closed campaign may open again where the shop extends it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

import pandas as pd

__all__ = [
    "COMMITTED_STATES",
    "FINISHED_STATES",
    "LEGAL_MOVES",
    "TAKING_STATES",
    "CampaignHistory",
    "State",
    "campaign_histories",
    "campaign_states",
    "is_legal",
]


class State(StrEnum):
    """Where a campaign stands."""

    OPEN = "open"
    THRESHOLD_MET = "threshold_met"
    CLOSED = "closed"
    COMMITTED = "committed"
    IN_PRODUCTION = "in_production"
    RECEIVED = "received"
    ALLOCATED = "allocated"
    SHIPPED = "shipped"
    CANCELLED = "cancelled"


LEGAL_MOVES: dict[State, frozenset[State]] = {
    State.OPEN: frozenset({State.THRESHOLD_MET, State.CLOSED, State.CANCELLED}),
    State.THRESHOLD_MET: frozenset({State.CLOSED, State.CANCELLED}),
    State.CLOSED: frozenset({State.COMMITTED, State.OPEN, State.CANCELLED}),  # open again: extended
    State.COMMITTED: frozenset({State.IN_PRODUCTION}),
    State.IN_PRODUCTION: frozenset({State.RECEIVED}),
    State.RECEIVED: frozenset({State.ALLOCATED}),
    State.ALLOCATED: frozenset({State.SHIPPED}),
    State.SHIPPED: frozenset(),
    State.CANCELLED: frozenset(),
}
"""The moves a campaign may make; every other one is refused and reported."""

TAKING_STATES = frozenset({State.OPEN, State.THRESHOLD_MET})
COMMITTED_STATES = frozenset({State.COMMITTED, State.IN_PRODUCTION, State.RECEIVED, State.ALLOCATED, State.SHIPPED})
FINISHED_STATES = frozenset({State.SHIPPED, State.CANCELLED})


def is_legal(before: State, after: State) -> bool:
    """Return whether a campaign may go from ``before`` to ``after``.

    >>> is_legal(State.OPEN, State.THRESHOLD_MET), is_legal(State.COMMITTED, State.CANCELLED)
    (True, False)
    """
    return after in LEGAL_MOVES[before]


@dataclass(frozen=True)
class CampaignHistory:
    """The legal path of one campaign, and what was refused."""

    campaign_id: str
    state: State = State.OPEN
    since: pd.Timestamp | None = None
    closed_at: pd.Timestamp | None = None  # the move after which it took no more preorders; None: none recorded
    pauses: tuple[tuple[pd.Timestamp, pd.Timestamp], ...] = ()  # closed, and opened again: what came between is refused
    committed_at: pd.Timestamp | None = None
    seed_commitment: str | None = None
    ledger_root: str | None = None
    seed: str | None = None
    seed_committed_at: pd.Timestamp | None = None
    seed_revealed_at: pd.Timestamp | None = None  # for the first time
    refused: tuple[str, ...] = field(default=())


def campaign_histories(campaign_ids: Iterable[str], events: pd.DataFrame) -> dict[str, CampaignHistory]:
    """Return the path of each campaign by its id.

    Args:
        campaign_ids: campaigns of the shop.
        events: ``campaign_id``, ``state``, ``at``, ``seed_commitment``, ``ledger_root``, ``seed``; states may be
            written with spaces or hyphens. An event that repeats the state is no move; an illegal one, or one of
            an unknown state, leaves the state as it was and is listed in ``refused``.
    """
    ordered = events.sort_values(["campaign_id", "at", "state"], kind="stable")
    by_campaign = dict(list(ordered.groupby("campaign_id", sort=True)))
    empty = events.iloc[:0]
    return {c: _history(c, by_campaign.get(c, empty)) for c in sorted(set(campaign_ids))}


def _history(campaign_id: str, events: pd.DataFrame) -> CampaignHistory:
    state, since, closed_at, committed_at, refused = State.OPEN, None, None, None, []
    pauses: list[tuple[pd.Timestamp, pd.Timestamp]] = []
    proof: dict[str, str | None] = {"seed_commitment": None, "ledger_root": None, "seed": None}
    known_at: dict[str, pd.Timestamp] = {}
    for event in events.to_dict("records"):
        for name in proof:
            if isinstance(event.get(name), str) and event[name]:
                known_at.setdefault(name, event["at"])
                # the first commitment and root count: a later one could be chosen to please
                proof[name] = proof[name] if name != "seed" and proof[name] else event[name]
        word = str(event["state"]).strip().lower().replace(" ", "_").replace("-", "_")
        if word == state:
            continue
        if word not in State.__members__.values() or not is_legal(state, State(word)):
            refused.append(f"{campaign_id}: {state.value} -> {word}")
            continue
        state, since = State(word), event["at"]
        if state in TAKING_STATES:
            pauses += [(closed_at, since)] if closed_at is not None else []
            closed_at = None
        elif closed_at is None:
            closed_at = since
        committed_at = since if state is State.COMMITTED else committed_at
    return CampaignHistory(
        campaign_id,
        state,
        since,
        closed_at,
        tuple(pauses),
        committed_at,
        seed_committed_at=known_at.get("seed_commitment"),
        seed_revealed_at=known_at.get("seed"),
        refused=tuple(refused),
        **proof,
    )


def campaign_states(
    campaigns: pd.DataFrame, histories: dict[str, CampaignHistory], firm: pd.Series, *, known_until: pd.Timestamp
) -> pd.Series:
    """Return the state of every row of ``campaigns`` at ``known_until``, a ``State`` each.

    A campaign that no event moved goes by the clock: open until ``closes_at``, then closed. An open one whose
    firm units reach ``min_batch_qty`` has met its threshold.

    Args:
        campaigns: ``campaign_id``, ``sku``, ``opens_at``, ``closes_at``, ``min_batch_qty``.
        histories: from :func:`campaign_histories`.
        firm: same index: firm units so far [units].
        known_until: the instant at which the run date closes.
    """
    states = [
        _state_now(histories[c].state, closes, known_until, enough)
        for c, closes, enough in zip(
            campaigns["campaign_id"],
            campaigns["closes_at"],
            firm.to_numpy() >= campaigns["min_batch_qty"].fillna(1).astype(float).to_numpy(),
            strict=True,
        )
    ]
    return pd.Series(states, index=campaigns.index, dtype=object)


def _state_now(state: State, closes_at: pd.Timestamp, known_until: pd.Timestamp, enough: bool) -> State:
    if state not in TAKING_STATES:
        return state
    if closes_at <= known_until:
        return State.CLOSED
    return State.THRESHOLD_MET if enough else State.OPEN
