"""The restocking part of the weekly review: the order policy chosen anew, and kept for the nights that follow."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from data.step_io import open_step
from restocking.policy_step import chosen_now, keep

__all__ = ["run"]


def run(home: Path, run_date: date) -> dict[str, int]:
    """Hold the review as of ``run_date``, write ``models/restock_policy.json``; return counts of rows."""
    with open_step("restock_review", home=home, run_date=run_date) as io:
        chosen = chosen_now(io)
        if chosen is None:
            io.note(
                "NO_TUNING", "Order policies are tuned in weekly shops with explicit costs and half a year of data."
            )
        else:
            keep(home, chosen, as_of=run_date)
    return io.counts
