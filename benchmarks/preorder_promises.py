"""Promise dates against late suppliers, night by night: ``python -m benchmarks.preorder_promises``.

Batches are ordered one after the other from suppliers whose real delays differ from the stated ones: on time, late on
average, and late with a long tail. Each night sees the receipts so far, renews every promise, and tells what moved.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from preorder.config import PreorderConfig
from preorder.promise import (
    Cause,
    Delays,
    Outlook,
    delay_outcomes,
    promise_date,
    real_delays,
    remaining_outcomes,
    renewed,
)

START = date(2024, 1, 1)
STATED_DAYS = 30  # lead time L that every supplier states [days]
SUPPLIERS = {"on_time": (0.0, 0.12, 0.0), "late": (0.25, 0.2, 0.0), "late_with_a_tail": (0.15, 0.15, 0.12)}
"""Log of real over stated delay: mean, spread, and the share of orders that take half as long again."""


@dataclass(frozen=True)
class Outcome:
    """What became of one batch's promise."""

    supplier: str
    is_first_kept: bool  # the P90 date told when the batch was ordered
    is_last_kept: bool
    changes: int
    silent: int  # nights on which the date moved later without a cause to tell


def real_delay(supplier: str, rng: np.random.Generator) -> int:
    """Days from the order to the day its units can be sold."""
    mean, spread, tail = SUPPLIERS[supplier]
    slow = 1.5 if rng.random() < tail else 1.0
    return max(2, round((STATED_DAYS + 1) * slow * float(np.exp(rng.normal(mean, spread)))))


def simulate(n_batches: int, *, seed: int, gap_days: int = 3, warm_up: int = 40) -> list[Outcome]:
    """Return the outcome of each batch after the first ``warm_up`` of each supplier."""
    rng, config = np.random.default_rng(seed), PreorderConfig()
    names = list(SUPPLIERS)
    orders = []
    for number in range(n_batches + warm_up * len(names)):
        supplier = names[number % len(names)]
        ordered = START + timedelta(days=gap_days * number)
        orders.append((supplier, ordered, real_delay(supplier, rng), f"PO{number}"))
    receipts = pd.DataFrame(
        [{"po_id": po, "sku": "S", "supplier_id": who, "ordered_date": pd.Timestamp(day),
          "received_date": pd.Timestamp(day + timedelta(days=took))} for who, day, took, po in orders]
    )  # fmt: skip
    weeks: dict[int, Delays] = {}
    return [_follow(order, receipts, weeks, config) for order in orders[warm_up * len(names) :]]


def _delays(receipts: pd.DataFrame, today: date, weeks: dict[int, Delays]) -> Delays:
    """What suppliers did, as known when the week of ``today`` began."""
    week = (today - START).days // 7
    if week not in weeks:
        known = receipts[receipts["received_date"] <= pd.Timestamp(START + timedelta(days=7 * week))]
        weeks[week] = real_delays(known, pd.Series({"S": float(STATED_DAYS)}))
    return weeks[week]


def _follow(
    order: tuple[str, date, int, str], receipts: pd.DataFrame, weeks: dict[int, Delays], config: PreorderConfig
) -> Outcome:
    supplier, ordered, took, _ = order
    arrival, told, first, changes, silent = ordered + timedelta(days=took), None, None, 0, 0
    outcomes = np.array([1.0])
    for elapsed in range(took):
        today = ordered + timedelta(days=elapsed)
        if elapsed % 7 == 0:  # what the supplier did lately changes little from night to night
            delays = _delays(receipts, today, weeks)
            outcomes = delay_outcomes(float(STATED_DAYS), 0.0, supplier, delays, config=config)
        outlook = Outlook(ordered, remaining_outcomes(outcomes, elapsed), is_ordered=True)
        now, cause = renewed(told, outlook, is_served=False, has_arrived=False, run_date=today, config=config)
        if told is None:
            first = now
            assert first == promise_date(ordered, outcomes, 0.9)
        elif now != told:
            changes += 1
            silent += int(cause not in set(Cause))
        told = now
    assert first is not None
    assert told is not None
    return Outcome(supplier, arrival <= first, arrival <= told, changes, silent)


def figures(outcomes: list[Outcome]) -> dict[str, float]:
    """Shares kept, changes per order, silent slips."""
    return {
        "first_kept": float(np.mean([o.is_first_kept for o in outcomes])),
        "last_kept": float(np.mean([o.is_last_kept for o in outcomes])),
        "changes": float(np.mean([o.changes for o in outcomes])),
        "silent": float(sum(o.silent for o in outcomes)),
    }


def main() -> None:
    """Print the figures of 3,000 batches, in all and by supplier."""
    outcomes = simulate(3_000, seed=5)
    for name in ("all", *SUPPLIERS):
        found = figures([o for o in outcomes if name in ("all", o.supplier)])
        print(f"{name:18} P90 as first told kept {found['first_kept']:.1%}, as last told {found['last_kept']:.1%}; "
              f"changes an order {found['changes']:.2f}; silent {found['silent']:.0f}")  # fmt: skip


if __name__ == "__main__":
    main()
