"""How a delivery's columns meet the contract: mapping, defaults, and what drifted."""

from __future__ import annotations

import difflib
import unicodedata
from dataclasses import dataclass

from data.contracts import Table
from data.ingest.faults import DeliveryRefused, Fault
from data.settings import SourceSettings

__all__ = ["Mapping", "mapped", "required_in_source"]

_SHOWN_CHARACTERS = 40  # of a column's name in a message
_ALIKE = 0.75  # of difflib's ratio: a renamed column is recognised, an unrelated new one is not


@dataclass(frozen=True)
class Mapping:
    """Contract column -> column of the source, and what does not match.

    ``taken`` holds only columns that the delivery has; ``unknown`` are columns of the source that no contract column
    takes; ``absent`` are optional contract columns that the delivery lacks.
    """

    taken: dict[str, str]
    unknown: tuple[str, ...]
    absent: tuple[str, ...]


def required_in_source(table: Table, spec: SourceSettings) -> dict[str, str]:
    """Return contract column -> source column for those that a delivery must have.

    A column that ``columns:`` maps by hand must be there even where the contract could do without it.
    """
    required = {
        c.name: spec.columns.get(c.name, c.name) for c in table.columns if c.required and c.name not in spec.defaults
    }
    return {**required, **{k: v for k, v in spec.columns.items() if k in table.names and k not in spec.defaults}}


def mapped(
    table: Table,
    header: tuple[str, ...],
    *,
    spec: SourceSettings,
    before: tuple[str, ...] | None,
    source: str,
    file: str,
) -> Mapping:
    """Return how the columns of a delivery are used.

    Args:
        table: the input contract.
        header: columns of the delivery.
        spec: column mapping and defaults of the source.
        before: header of the source's delivery before this one, None for the first.
        source: for messages.
        file: for messages.

    Raises:
        DeliveryRefused: ``SCHEMA_DRIFT`` where a required column is missing, a mapping names no contract column, or a
            column that was there before seems to be renamed.
    """
    not_ours = [name for name in (*spec.columns, *spec.defaults, *spec.units, *spec.aliases) if name not in table.names]
    if not_ours:
        raise DeliveryRefused(
            Fault.SCHEMA_DRIFT,
            f"merchcast.yml maps {not_ours[:5]}, which {table.name} does not have"
            + _did_you_mean(not_ours, table.names),
            source=source,
            file=file,
        )
    missing = {c: s for c, s in required_in_source(table, spec).items() if s not in header}
    if missing:
        raise DeliveryRefused(
            Fault.SCHEMA_DRIFT,
            f"expected column {_listed(missing)}, found {_clipped(header)}"
            + _did_you_mean(list(missing.values()), [h for h in header if h not in spec.columns.values()])
            + "; map it under `columns:` or deliver it",
            source=source,
            file=file,
            line=1,
        )
    wanted = {c.name: spec.columns.get(c.name, c.name) for c in table.columns}
    taken = {c: s for c, s in wanted.items() if s in header}
    unknown = tuple(h for h in header if h not in taken.values())
    absent = tuple(c.name for c in table.columns if c.name not in taken and c.name not in spec.defaults)
    _refuse_renamed(wanted, header, before, unknown, source=source, file=file)
    return Mapping(taken, unknown, absent)


def _refuse_renamed(
    wanted: dict[str, str],
    header: tuple[str, ...],
    before: tuple[str, ...] | None,
    unknown: tuple[str, ...],
    *,
    source: str,
    file: str,
) -> None:
    """A column that was delivered until now and is gone while a similar one is new was renamed, not dropped."""
    if before is None:
        return
    gone = [s for s in wanted.values() if s in before and s not in header]
    new = [u for u in unknown if u not in before]
    for column in gone:
        close = difflib.get_close_matches(column, new, 1, _ALIKE)
        if close:
            raise DeliveryRefused(
                Fault.SCHEMA_DRIFT,
                f"column {column!r} is gone and {close[0]!r} is new: renamed? Map it under `columns:`",
                source=source,
                file=file,
                line=1,
            )


def likely_meant(unknown: tuple[str, ...], absent: tuple[str, ...]) -> dict[str, str]:
    """Return unknown column -> the absent contract column it is close to.

    >>> likely_meant(("unitprice", "weather"), ("unit_price",))
    {'unitprice': 'unit_price'}
    """
    close = {u: difflib.get_close_matches(u.lower(), absent, 1, _ALIKE) for u in unknown if u}
    return {u: c[0] for u, c in close.items() if c}


def _listed(missing: dict[str, str]) -> str:
    shown = [f"{s!r}" if s == c else f"{s!r} (for {c})" for c, s in list(missing.items())[:5]]
    return ", ".join(shown)


def _clipped(header: tuple[str, ...]) -> str:
    """Return the first names of a header, long ones cut; a quote that never closes makes one of the whole file."""
    shown = [h if len(h) <= _SHOWN_CHARACTERS else f"{h[:_SHOWN_CHARACTERS]}..." for h in header[:30]]
    return f"{shown}" + (" (a quote in it never closes)" if any(h.count("\n") > 1 for h in header) else "")


def _did_you_mean(names: list[str], known: list[str] | tuple[str, ...]) -> str:
    hints = []
    lowered = {unicodedata.normalize("NFKC", k).lower(): k for k in known}
    for name in names[:5]:
        close = difflib.get_close_matches(name.lower(), list(lowered), 1, 0.6)
        if close:
            hints.append(f"{name!r}: did you mean {lowered[close[0]]!r}?")
    return f" ({' '.join(hints)})" if hints else ""
