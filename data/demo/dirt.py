"""What is wrong with the demo's CSV files, and the ledger of it.

Rows that belong in quarantine are *added* (copies of real rows, damaged): the clean rows stay complete, so that what
is loaded equals the truth. Rows that are normalised are real rows written badly. Fault numbers are those of
``docs/operators/faults.md``; no file holds a fault that stops a run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["DAMAGES", "Damage", "LedgerRow", "add_dirt"]

_BAD_SHARE = 0.008  # of a file's rows at most go to quarantine: the limit that stops a run is 0.01 (0-1)
_DUPLICATE_SHARE = 0.008
_BADLY_WRITTEN_SHARE = 0.012
_FULL_WIDTH = str.maketrans({chr(c): chr(c + 0xFEE0) for c in range(0x21, 0x7F)})


@dataclass(frozen=True)
class LedgerRow:
    """One thing that was made dirty.

    ``row_number`` counts data records from 1 (the header is none); null: the whole file. ``outcome``: Q quarantined,
    N normalised, DUP counted as a duplicate, D degraded and said, L loaded and dealt with by a later step.
    """

    table: str
    file: str
    row_number: int | None
    fault: int
    kind: str
    column: str | None
    outcome: str
    reason: str | None
    n_rows: int = 1


@dataclass(frozen=True)
class Damage:
    """One way to damage a row: fault number, kind, column, expected outcome and reason, and the edit itself."""

    fault: int
    kind: str
    column: str | None
    outcome: str
    reason: str | None
    edit: Callable[[str], str]


def _to(value: str) -> Callable[[str], str]:
    return lambda _: value


def _negative(value: str) -> str:
    """Return the price below zero; a gift's 0 has no sign to turn."""
    return f"-{value}" if value and float(value) > 0 else "-9.9"


def _number_damages(column: str, *, is_integer: bool) -> tuple[Damage, ...]:
    """Return what goes wrong in a column of numbers."""
    found = [
        Damage(44, "unit_in_number", column, "Q", "NOT_A_NUMBER", _to("3 pcs")),
        Damage(30, "full_width_digits", column, "Q", "NOT_A_NUMBER", _to("２")),
        Damage(31, "hexadecimal", column, "Q", "NOT_A_NUMBER", _to("0x1F")),
        Damage(31, "underscore", column, "Q", "NOT_A_NUMBER", _to("1_000")),
        Damage(32, "not_a_number", column, "Q", "NOT_FINITE", _to("NaN")),
        Damage(29, "ambiguous_number", column, "Q", "AMBIGUOUS_NUMBER", _to("1.234,56")),
    ]
    if is_integer:
        found.insert(0, Damage(26, "fraction_in_integer", column, "Q", "NOT_INTEGER", _to("1.9")))
    return tuple(found)


def _price_damages(column: str) -> tuple[Damage, ...]:
    return (
        Damage(55, "negative_price", column, "Q", "PRICE_RANGE", _negative),
        Damage(56, "huge_price", column, "Q", "PRICE_RANGE", _to("1000000000000")),
        Damage(32, "infinite", column, "Q", "NOT_FINITE", _to("inf")),
    )


def _day_damages(column: str, clock: str = "") -> tuple[Damage, ...]:
    return (
        Damage(39, "30_february", column, "Q", "DATE_RANGE", _to(f"2026-02-30{clock}")),
        Damage(39, "year_9999", column, "Q", "DATE_RANGE", _to(f"9999-12-31{clock}")),
    )


_WIDTH = (
    Damage(15, "column_too_many", None, "Q", "WIDTH", _to("")),
    Damage(16, "column_missing", None, "Q", "WIDTH", _to("")),
)
_SKU = (
    Damage(28, "scientific_id", "sku", "Q", "SCIENTIFIC_ID", _to("6.93E+12")),
    Damage(11, "control_character", "sku", "Q", "CONTROL_CHAR", lambda v: v[:3] + "\x07" + v[3:]),
    Damage(11, "nul_character", "sku", "Q", "CONTROL_CHAR", lambda v: v[:3] + "\x00" + v[3:]),
)
_BADLY_WRITTEN = (
    Damage(46, "spaces_around_sku", "sku", "N", None, lambda v: f"  {v} "),
    Damage(46, "full_width_sku", "sku", "N", None, lambda v: v.translate(_FULL_WIDTH)),
)


def _empties(*columns: str) -> tuple[Damage, ...]:
    tokens = ("NULL", "-", "N/A")
    return tuple(Damage(47, "written_empty", c, "N", None, _to(t)) for c in columns for t in tokens)


_CONFLICT = Damage(49, "same_key_other_values", None, "Q", "DUP_CONFLICT", _to(""))
_DUPLICATE = Damage(48, "exact_duplicate", None, "DUP", None, _to(""))

DAMAGES: dict[str, tuple[Damage, ...]] = {
    "order_lines": (
        *_number_damages("quantity", is_integer=True),
        *_price_damages("unit_price"),
        *_day_damages("ordered_at", " 10:00:00"),
        Damage(70, "future", "ordered_at", "Q", "FUTURE", _to("2045-05-04 10:00:00")),
        Damage(60, "unknown_sku", "sku", "Q", "UNKNOWN_SKU", _to("OLD-9999")),
        *_SKU,
        *_WIDTH,
        _CONFLICT,
        *_BADLY_WRITTEN,
        *_empties("promotion_id", "preorder_id"),
        _DUPLICATE,
    ),
    "returns": (
        *_number_damages("quantity", is_integer=True),
        Damage(53, "exceeds_what_was_sold", "quantity", "Q", "RETURN_EXCEEDS_SALES", _to("999")),
        Damage(53, "sale_not_known", "order_line_id", "L", "RETURN_UNMATCHED", _to("SO00000000-9")),
        *_day_damages("returned_at", " 10:00:00"),
        *_WIDTH,
        *_BADLY_WRITTEN,
        _DUPLICATE,
    ),
    "stock": (
        *_number_damages("on_hand", is_integer=False),
        Damage(52, "negative_stock", "on_hand", "Q", "RANGE", _to("-5")),
        *_WIDTH,
        *_BADLY_WRITTEN,
        *_empties("backorders"),
        _DUPLICATE,
    ),
    "receipts": (
        *_number_damages("received_qty", is_integer=False),
        *_day_damages("received_date"),
        *_BADLY_WRITTEN,
        *_empties("campaign_id"),
        _DUPLICATE,
    ),
    "preorders": (
        *_number_damages("quantity", is_integer=True),
        *_day_damages("placed_at", " 10:00:00"),
        Damage(62, "no_such_campaign", "campaign_id", "Q", "NO_CAMPAIGN", _to("CMP-999")),
        *_BADLY_WRITTEN,
        *_empties("cancelled_at"),
        _DUPLICATE,
    ),
    "prices": (*_price_damages("price"), *_number_damages("price", is_integer=False), *_BADLY_WRITTEN, _DUPLICATE),
    "competitor_prices": (
        *_price_damages("price"),
        *_number_damages("price", is_integer=False),
        *_day_damages("date"),
        *_BADLY_WRITTEN,
        _DUPLICATE,
    ),
    "signals": (*_number_damages("value", is_integer=False), *_day_damages("date"), *_WIDTH, _DUPLICATE),
    "site_traffic": (
        *_number_damages("page_views", is_integer=False),
        Damage(52, "negative_views", "page_views", "Q", "RANGE", _to("-40")),
        *_BADLY_WRITTEN,
        *_empties("live_interactions"),
        _DUPLICATE,
    ),
    "products": (
        *_price_damages("list_price"),
        *_day_damages("launch_date"),
        Damage(28, "scientific_id", "sku", "Q", "SCIENTIFIC_ID", _to("6.93E+12")),
        *_empties("replaces_sku", "size", "material"),
        _DUPLICATE,
    ),
    "weather": (*_empties("precipitation"), _DUPLICATE),
}
"""Ways to damage the rows of each table."""

_ID_COLUMNS = ("order_line_id", "order_id", "return_id", "preorder_id")


def add_dirt(
    table: str, file: str, header: list[str], rows: list[list[str]], *, number: int, rng: np.random.Generator
) -> tuple[list[list[str]], list[LedgerRow]]:
    """Return the rows with dirt, and what was made dirty.

    Args:
        table: contract name of the table.
        file: path of the file below the home folder.
        header: column names.
        rows: clean rows; they are not changed.
        number: number of the file: which faults come first turns with it.
        rng: random stream of the dirt.
    """
    damages = DAMAGES[table]
    bad = [d for d in damages if d.outcome in {"Q", "L"}]
    written = [d for d in damages if d.outcome == "N"]
    result = [list(row) for row in rows]
    marks: dict[int, Damage] = {}
    free = [int(i) for i in rng.permutation(len(rows))]
    for damage in _turned(written, number, round(_BADLY_WRITTEN_SHARE * len(rows))):
        _write_badly(damage, header, result, marks, free)
    added: list[tuple[float, list[str], Damage]] = []
    for count, damage in enumerate(_turned(bad, number * 5, int(_BAD_SHARE * len(rows)))):
        source = rows[int(rng.integers(len(rows)))]
        spot = float(rng.uniform(0, len(rows)))
        if damage is _CONFLICT:
            if count % 2:  # it takes two rows of the budget
                continue
            one, other = _damaged(damage, header, source, f"{number:03d}{count:03d}")
            added += [(spot, one, damage), (spot + 0.5, other, damage)]
        else:
            added.append((spot, _damaged(damage, header, source, f"{number:03d}{count:03d}")[0], damage))
    for index in free[: round(_DUPLICATE_SHARE * len(rows))]:
        if table != "products":
            added.append((float(rng.uniform(index + 0.01, len(rows))), list(result[index]), _DUPLICATE))
    return _merged(table, file, result, marks, added)


def _turned(damages: Sequence[Damage], start: int, count: int) -> list[Damage]:
    """Return ``count`` damages in turn, beginning at ``start``."""
    return [damages[(start + i) % len(damages)] for i in range(count)] if damages else []


def _write_badly(
    damage: Damage, header: list[str], rows: list[list[str]], marks: dict[int, Damage], free: list[int]
) -> None:
    """Write one real row badly; a written-out empty only where the value is empty."""
    if damage.column not in header:
        return
    column = header.index(damage.column)
    for i, row in enumerate(free):
        is_empty = rows[row][column] == ""
        if is_empty == (damage.kind == "written_empty"):
            rows[row][column] = damage.edit(rows[row][column])
            marks[row] = damage
            free.pop(i)
            return


def _damaged(damage: Damage, header: list[str], source: list[str], tag: str) -> list[list[str]]:
    """Return one damaged copy of a row with ids of its own, or two that contradict each other."""
    row = list(source)
    for name in _ID_COLUMNS:
        # a return of too much has to name a line that was sold
        if name in header and not (name == "order_line_id" and "return_id" in header) and row[header.index(name)]:
            row[header.index(name)] = f"X{tag}{row[header.index(name)]}"
    if damage.kind == "column_too_many":
        return [[*row, "?"]]
    if damage.kind == "column_missing":
        return [row[:-1]]
    if damage is _CONFLICT:
        other = list(row)
        other[header.index("quantity")] = str(int(row[header.index("quantity")]) + 1)
        return [row, other]
    if damage.column is not None:
        row[header.index(damage.column)] = damage.edit(row[header.index(damage.column)])
    return [row]


def _merged(
    table: str,
    file: str,
    rows: list[list[str]],
    marks: dict[int, Damage],
    added: list[tuple[float, list[str], Damage]],
) -> tuple[list[list[str]], list[LedgerRow]]:
    """Put the added rows among the others and number what is dirty."""
    every: list[tuple[float, int, list[str], Damage | None]] = [
        (float(i), 0, r, marks.get(i)) for i, r in enumerate(rows)
    ]
    every += [(spot, n + 1, row, damage) for n, (spot, row, damage) in enumerate(added)]
    every.sort(key=lambda item: (item[0], item[1]))
    ledger = [
        LedgerRow(table, file, i + 1, d.fault, d.kind, d.column, d.outcome, d.reason)
        for i, (_, _, _, d) in enumerate(every)
        if d is not None
    ]
    return [row for _, _, row, _ in every], ledger
