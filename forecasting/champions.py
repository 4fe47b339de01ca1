"""The weekly review's verdict: blend weights by segment, kept as ``models/champions.json`` in the home folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from forecasting.selection import Choice

__all__ = ["keep_better", "read_champions", "read_record", "write_record"]

_PLACE = Path("models") / "champions.json"


def read_record(home: Path) -> dict[str, Any]:
    """Return the record of the last review; empty where there is none or it cannot be read as one."""
    try:
        record = json.loads((home / _PLACE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) and isinstance(record.get("segments"), dict) else {}


def read_champions(home: Path, *, before: date) -> dict[str, dict[str, float]] | None:
    """Return blend weights by segment from the last review dated before ``before``; None without one.

    A review of the run date itself or later is not read: a rerun of an old date must not know it.
    """
    record = read_record(home)
    if not record or str(record.get("as_of", "")) >= before.isoformat():
        return None
    found = {str(name): one.get("weights") for name, one in record["segments"].items() if isinstance(one, dict)}
    return {
        name: {str(k): float(v) for k, v in weights.items()}
        for name, weights in sorted(found.items())
        if isinstance(weights, dict) and all(isinstance(v, int | float) and v >= 0 for v in weights.values())
    }


def keep_better(
    record: Mapping[str, Any], choices: Mapping[str, Choice], kept_scores: Mapping[str, float], *, as_of: date
) -> dict[str, Any]:
    """Return the record after a review: the old champion of a segment stays where the new one scores worse.

    Args:
        record: the record so far; empty at the first review.
        choices: what this review would publish, by segment.
        kept_scores: score of the old weights on this review's windows, by segment.
        as_of: date of the review.
    """
    old = record.get("segments", {})
    segments: dict[str, Any] = {}
    for name, choice in sorted(choices.items()):
        fresh = {
            "weights": choice.weights,
            "score": round(choice.score, 6),
            "champion": choice.champion,
            "runner_up": choice.runner_up,
            "margin": round(choice.margin, 6),
            "since": as_of.isoformat(),
        }
        if name in old and kept_scores.get(name, float("inf")) < choice.score:
            segments[name] = old[name] | {"score": round(kept_scores[name], 6)}
        else:
            segments[name] = fresh
    return {"as_of": as_of.isoformat(), "segments": segments}


def write_record(home: Path, record: Mapping[str, Any]) -> None:
    """Replace the record of the home folder in one step."""
    path = home / _PLACE
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    draft.replace(path)
