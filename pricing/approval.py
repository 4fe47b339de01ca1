"""What a person approves: one plan, named by its digest, by one person or two, until it lapses.

The digest covers every line that changes (place, price now, price new, level of approval), the rule book and the date
of the data. Whatever changes in book or data gives another digest, and an approval of the old one is void.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from data.errors import ConfigError
from pricing.config import PricingConfig
from pricing.suggest import Status

__all__ = ["Approval", "ApprovalError", "Plan", "check_approval", "price_file", "price_plan", "with_person"]

_LEAST_NAME = 2  # [characters]
_SHOWN = 12  # [characters] of a digest
_DOING = (Status.AUTO.value, Status.NEEDS_APPROVAL.value)
PRICE_COLUMNS = ("sku", "location_id", "channel", "from_date", "price")


class ApprovalError(ConfigError):
    """A plan cannot be approved or applied; the message says why and what to do."""


class Approval(BaseModel):
    """Who approved which plan, as kept in ``approved/plans/<digest>.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest: str = Field(description="SHA-256 of the plan, in hexadecimal.")
    run_date: date = Field(description="Date of the data the plan was made on.")
    book_digest: str = Field(description="SHA-256 of the rule book.")
    expires_date: date = Field(description="Last business date on which it may be applied.")
    persons_needed: int = Field(ge=1, le=2, description="Persons who must approve [persons].")
    approved_by: tuple[str, ...] = Field(description="Persons who did, in order.")
    approved_dates: tuple[date, ...] = Field(description="On which business dates.")


@dataclass(frozen=True)
class Plan:
    """The changes of a plan with what binds an approval to them.

    ``changes`` has ``sku``, ``location_id``, ``channel``, ``current_price``, ``suggested_price``, ``approval_level``,
    ``units_now``; ``reason_for_two`` says why two persons are needed, None: one is enough.
    """

    changes: pd.DataFrame
    run_date: date
    book_digest: str
    digest: str
    expires_date: date
    reason_for_two: str | None

    @property
    def persons_needed(self) -> int:
        """Return how many persons must approve."""
        return 1 if self.reason_for_two is None else 2

    @property
    def short(self) -> str:
        """Return the first characters of the digest, enough to name the plan."""
        return self.digest[:_SHOWN]


def price_plan(suggestions: pd.DataFrame, *, run_date: date, book_digest: str, config: PricingConfig) -> Plan:
    """Return the plan that a set of suggestions makes: lines that would change, in the order of their keys.

    Lines that a guardrail or a hold stops, and conflicts, are no part of it.
    """
    moves = suggestions["status"].isin(_DOING) & (suggestions["suggested_price"] != suggestions["current_price"])
    keys = ["sku", "location_id", "channel"]
    names = [*keys, "current_price", "suggested_price", "approval_level", "units_now"]
    changes = suggestions.loc[moves, names].sort_values(keys, ignore_index=True)
    rows = [
        [str(r[0]), str(r[1]), str(r[2]), f"{float(r[3]):.4f}", f"{float(r[4]):.4f}", r[5] if r[5] else ""]
        for r in changes.drop(columns="units_now").itertuples(index=False, name=None)
    ]
    content = json.dumps([run_date.isoformat(), book_digest, rows], ensure_ascii=False, separators=(",", ":"))
    return Plan(
        changes=changes,
        run_date=run_date,
        book_digest=book_digest,
        digest=hashlib.sha256(content.encode()).hexdigest(),
        expires_date=run_date + timedelta(days=config.expiry_days),
        reason_for_two=_reason_for_two(changes, config),
    )


def _reason_for_two(changes: pd.DataFrame, config: PricingConfig) -> str | None:
    """Why one person is not enough, None where it is."""
    large = changes["approval_level"] == "two_persons"
    if large.any():
        return f"{int(large.sum())} changes are beyond the limit of one person, {changes['sku'][large].iloc[0]} first"
    moved = (changes["suggested_price"] - changes["current_price"]).abs().to_numpy(dtype=float)
    at_stake = float(np.nansum(moved * changes["units_now"].to_numpy(dtype=float)))
    limit = config.two_persons_above_value
    if limit is not None and at_stake > limit:
        return f"{at_stake:,.0f} of revenue is at stake, one person may approve {limit:,.0f}"
    return None


def with_person(plan: Plan, earlier: Approval | None, *, by: str, today: date, is_new_book: bool = False) -> Approval:
    """Return the approval of a plan with one more person.

    A plan that changes no price tonight may be approved where it brings another rule book into force.

    Raises:
        ApprovalError: nothing changes, the plan has lapsed, or the name is empty or stands already.
    """
    name = " ".join(by.split())
    if len(name) < _LEAST_NAME:
        raise ApprovalError("who approves? write --by and a name of two letters at least")
    if plan.changes.empty and not is_new_book:
        raise ApprovalError("the plan changes no price: there is nothing to approve")
    _check_date(plan.expires_date, plan.run_date, today)
    before = earlier.approved_by if earlier is not None else ()
    if name.casefold() in {b.casefold() for b in before}:
        raise ApprovalError(f"{name} approved plan {plan.short} already; a second person must be another one")
    return Approval(
        digest=plan.digest,
        run_date=plan.run_date,
        book_digest=plan.book_digest,
        expires_date=plan.expires_date,
        persons_needed=plan.persons_needed,
        approved_by=(*before, name),
        approved_dates=(*(earlier.approved_dates if earlier is not None else ()), today),
    )


def check_approval(plan: Plan, approval: Approval | None, *, today: date) -> None:
    """Check that a plan may be applied today.

    Raises:
        ApprovalError: not approved, approved for another plan, by too few, or lapsed.
    """
    if approval is None:
        raise ApprovalError(f"plan {plan.short} is not approved: `merchcast prices approve --by NAME`")
    if approval.digest != plan.digest:
        raise ApprovalError(f"approved is plan {approval.digest[:_SHOWN]}, this is {plan.short}: approve it anew")
    _check_date(approval.expires_date, plan.run_date, today)
    persons = len({name.casefold() for name in approval.approved_by})
    if persons < plan.persons_needed:
        raise ApprovalError(
            f"plan {plan.short} needs {plan.persons_needed} persons, {', '.join(approval.approved_by)} approved it: "
            f"{plan.reason_for_two}; another person runs `merchcast prices approve --by NAME`"
        )


def _check_date(expires: date, run_date: date, today: date) -> None:
    if today > expires:
        raise ApprovalError(f"the plan of {run_date} lapsed on {expires}: run the night anew and approve that plan")


def price_file(plan: Plan, *, today: date, back: bool) -> pd.DataFrame:
    """Return the prices to hand to the shop's system, or with ``back`` those that undo them.

    In the shape of the input table ``prices``: ``sku``, ``location_id``, ``channel``, ``from_date``, ``price``. They
    hold from the day after the later of run date and today.
    """
    first = max(plan.run_date, today) + timedelta(days=1)
    price = plan.changes["current_price" if back else "suggested_price"]
    table = plan.changes[["sku", "location_id", "channel"]].assign(
        from_date=first.isoformat(), price=[f"{float(p):.2f}" for p in price]
    )
    return table[list(PRICE_COLUMNS)]
