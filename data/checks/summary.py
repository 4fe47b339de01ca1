"""The checks of a run in a few words, for planners."""

from __future__ import annotations

from typing import Any

import pandas as pd

__all__ = ["counts_by_status", "in_words", "red_first"]

_ORDER = {"fail": 0, "warn": 1, "pass": 2}


def counts_by_status(checks: pd.DataFrame) -> dict[str, int]:
    """Return how many checks passed, warned and failed.

    Example:
        >>> counts_by_status(pd.DataFrame({"status": ["pass", "warn", "pass"]}))
        {'pass': 2, 'warn': 1, 'fail': 0}
    """
    return {status: int((checks["status"] == status).sum()) for status in ("pass", "warn", "fail")}


def red_first(checks: pd.DataFrame) -> pd.DataFrame:
    """Return the checks that did not pass: failures first, then by step, table and check."""
    red = checks[checks["status"] != "pass"]
    return (
        red.assign(_rank=red["status"].map(_ORDER))
        .sort_values(["_rank", "step", "table", "check"], ignore_index=True)
        .drop(columns="_rank")
    )


def in_words(check: pd.Series[Any]) -> str:
    """Return one check as a sentence: where, what was found, what was expected, what to do."""
    where = f"{check['step']}: {check['check']}" if check["table"] == "-" else f"{check['table']}: {check['check']}"
    text = f"{where}: {check['observed']}"
    if check["expected"]:
        text += f" (expected {check['expected']})"
    keys = list(check["sample_keys"])
    if keys:
        text += f", such as {', '.join(str(k) for k in keys)}"
    advice = str(check["advice"] or "")
    return text if not advice or advice == check["observed"] else f"{text}. {advice}"
