"""The tuned policies of a shop over time, kept as ``models/restock_policy.json`` in the home folder.

A night uses the newest policy chosen before it. Older ones are kept, so that the rerun of an old night finds the policy
that was in force then.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from restocking.tuning import ChosenPolicy

__all__ = ["policy_in_force", "read_policies", "with_policy"]

PLACE = Path("models") / "restock_policy.json"
_KEPT = 120  # policies; a review a week: over two years


def read_policies(text: str | None) -> list[dict[str, Any]]:
    """Return the policies of a record, oldest first; none where there is no record or it cannot be read as one."""
    try:
        record = json.loads(text or "{}")
    except ValueError:
        return []
    policies = record.get("policies") if isinstance(record, dict) else None
    kept = [one for one in policies or [] if isinstance(one, dict) and isinstance(one.get("as_of"), str)]
    return sorted(kept, key=lambda one: str(one["as_of"]))


def policy_in_force(policies: list[dict[str, Any]], *, before: date) -> ChosenPolicy | None:
    """Return the newest policy chosen before a day; None without one.

    A policy of the run date itself is not read: a rerun of that night must give the same plan.
    """
    earlier = [one for one in policies if one["as_of"] < before.isoformat()]
    if not earlier:
        return None
    newest = earlier[-1]
    return ChosenPolicy(
        family={str(k): str(v) for k, v in newest["family"].items()},
        parameter={str(k): float(v) for k, v in newest["parameter"].items()},
        gain={str(k): float(v) for k, v in newest["gain"].items()},
        n_windows=int(newest["n_windows"]),
        n_series=int(newest["n_series"]),
    )


def with_policy(policies: list[dict[str, Any]], chosen: ChosenPolicy, *, as_of: date) -> str:
    """Return the text of the record with a policy added; one of the same day is replaced."""
    others = [one for one in policies if one["as_of"] != as_of.isoformat()]
    new = {
        "as_of": as_of.isoformat(),
        "family": dict(chosen.family),
        "parameter": dict(chosen.parameter),
        "gain": dict(chosen.gain),
        "n_windows": chosen.n_windows,
        "n_series": chosen.n_series,
    }
    kept = sorted([*others, new], key=lambda one: str(one["as_of"]))[-_KEPT:]
    return json.dumps({"policies": kept}, indent=1, sort_keys=True) + "\n"
