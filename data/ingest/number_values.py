"""Numbers as text: their plain notation, why one is none, and which prices have more digits than money keeps."""

from __future__ import annotations

import re

from data.contracts import Column
from data.ingest.faults import Reason
from data.ingest.text_values import literal
from data.settings import SourceSettings
from data.warehouse import quoted

__all__ = ["number_reason", "plain_number", "rounded_sql"]

_MONEY_SCALE = 4  # decimals that money keeps


def plain_number(text: str, spec: SourceSettings) -> tuple[str, str]:
    """Return SQL for the number in plain notation (null where its marks are wrong), and the pattern of a plain one."""
    plain_pattern = r"[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]{1,3})?"
    if spec.decimal == "." and not spec.thousands:
        return text, plain_pattern
    mark, group = f"[{spec.decimal}]", f"[{spec.thousands or '_'}]"
    grouped = rf"[+-]?([0-9]{{1,3}}({group}[0-9]{{3}})+|[0-9]+)({mark}[0-9]*)?"
    pattern = literal(grouped)
    without = f"replace({text}, {literal(spec.thousands)}, '')" if spec.thousands else text
    dotted = f"replace({without}, {literal(spec.decimal)}, '.')" if spec.decimal != "." else without
    return f"(case when regexp_full_match({text}, {pattern}) then {dotted} end)", plain_pattern


def number_reason(text: str) -> str:
    """Return SQL for the reason why a text is no number."""
    words = r"(?i)[+-]?(nan|inf|infinity|1[.]#inf|1[.]#qnan)"
    marks = r"[+-]?[0-9]+([.,'' ][0-9]{1,3})*[.,][0-9]+|[+-]?[0-9]{1,3}([ ,''][0-9]{3})+"
    return (
        f"case when regexp_full_match({text}, '{words}') then '{Reason.NOT_FINITE}' "
        f"when regexp_full_match({text}, '{marks}') then '{Reason.AMBIGUOUS_NUMBER}' else '{Reason.NOT_A_NUMBER}' end"
    )


def rounded_sql(column: Column, text: str, physical: str, spec: SourceSettings) -> str:
    """Return the condition that a price lost digits: it had more decimals than money has."""
    if column.name in spec.units:
        return "false"  # a factor leaves other digits anyway
    money, limit = f"{quoted(column.name)}::double", "0.0000005"
    if physical == "VARCHAR":
        plain, _ = plain_number(text, spec)
        decimals = f"strlen({plain}) - strpos({plain}, '.')"
        is_long = f"{text} is not null and contains({plain}, '.') and {decimals} > 4 or regexp_matches({text}, '[eE]')"
        lost = f"abs(try_cast({plain} as double) - {money}) > {limit}"
        return f"case when {is_long} then coalesce({lost}, false) else false end"
    scale = re.fullmatch(r"DECIMAL\([0-9]+, (-?[0-9]+)\)", physical)
    may_lose = physical in ("FLOAT", "DOUBLE", "DECIMAL") or (scale is not None and int(scale[1]) > _MONEY_SCALE)
    return f"coalesce(abs({text}::double - {money}) > {limit}, false)" if may_lose else "false"
