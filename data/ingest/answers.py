"""What a service answers: a page of records, and what it says beside them."""

from __future__ import annotations

import email.utils
import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

__all__ = ["Page", "digest_of", "object_as_it_came", "retry_after", "total_of", "value_at"]

_TOTALS = frozenset(("total", *(f"total{n}" for n in ("count", "records", "items", "results", "rows", "elements"))))


@dataclass(frozen=True)
class Page:
    """One answer: the address it came from, its decoded body, the records in it, its headers."""

    url: str
    body: Any
    records: list[Any]
    headers: httpx.Headers


class _Twice(dict[str, Any]):
    """An object that names a field twice. It is written as it came, so its row is quarantined for what it is."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs

    def items(self) -> Any:
        """Return every field, in the order it came."""
        return self.pairs


def object_as_it_came(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a decoded object; one that names a field twice keeps both."""
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Twice(pairs)


def digest_of(records: list[Any]) -> str:
    """Return what tells one page of records from another."""
    return hashlib.sha256(json.dumps(records).encode()).hexdigest()[:12]


def total_of(page: Page) -> int | None:
    """Return how many records the service says there are in all, None where it does not say."""
    said = [page.headers.get("x-total-count")]
    if isinstance(page.body, dict):
        places = [page.body, *(v for v in page.body.values() if isinstance(v, dict))]
        said += [v for place in places for k, v in place.items() if re.sub("[_-]", "", k.lower()) in _TOTALS]
    numbers = [int(v) for v in said if isinstance(v, str) and re.fullmatch("[0-9]{1,15}", v)]
    return max(numbers, default=None)


def value_at(body: Any, path: str) -> Any:
    """Return what stands at a dotted path, None where there is nothing."""
    for name in path.split("."):
        body = body.get(name) if isinstance(body, dict) else None
    return body


def retry_after(headers: httpx.Headers) -> float | None:
    """Return what ``Retry-After`` asks for [s]: a number, or an HTTP date."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]+", value):
        return float(value)
    try:
        then = email.utils.parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return max(0.0, (then - datetime.now(UTC)).total_seconds())
