"""The tuned policies of a shop over time, kept as ``models/restock_policy.json`` in the home folder.

A night uses the newest policy chosen before it. Older ones are kept, so that the rerun of an old night finds the policy
that was in force then.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from restocking.chosen_policy import COVER, ChosenPolicy, OrderRule

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
        rules=_rules(newest),
        gain={str(k): float(v) for k, v in newest["gain"].items()},
        n_windows=int(newest["n_windows"]),
        n_series=int(newest["n_series"]),
    )


def _rules(record: dict[str, Any]) -> dict[str, OrderRule]:
    """Return the rules of a record; older records name a family and one parameter."""
    if "rules" in record:
        return {
            str(size): OrderRule(**{str(k): float(v) for k, v in of.items()}) for size, of in record["rules"].items()
        }
    return {
        str(size): OrderRule(1.0, 1.0, float(value)) if record["family"][size] == COVER else OrderRule(float(value))
        for size, value in record["parameter"].items()
    }


def with_policy(policies: list[dict[str, Any]], chosen: ChosenPolicy, *, as_of: date) -> str:
    """Return the text of the record with a policy added; one of the same day is replaced."""
    others = [one for one in policies if one["as_of"] != as_of.isoformat()]
    new = {
        "as_of": as_of.isoformat(),
        "rules": {size: asdict(rule) for size, rule in chosen.rules.items()},
        "gain": dict(chosen.gain),
        "n_windows": chosen.n_windows,
        "n_series": chosen.n_series,
    }
    kept = sorted([*others, new], key=lambda one: str(one["as_of"]))[-_KEPT:]
    return json.dumps({"policies": kept}, indent=1, sort_keys=True) + "\n"
