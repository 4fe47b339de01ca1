"""SQL that casts one delivered column to its contract, strictly: pattern first, then cast, then range.

DuckDB's own casts read ``1.9`` as the integer 2 and ``0x1F`` as 31, so no text is cast before a pattern has
matched it. Each column gives three expressions: the value (null where it cannot be cast), a condition that is true
where the delivered value may not be loaded, and the reason as a code, evaluated for the bad rows alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from data.contracts import Column, DType
from data.ingest.faults import Reason
from data.ingest.number_values import number_reason, plain_number, rounded_sql
from data.ingest.privacy import masked_sql
from data.ingest.text_values import literal, text_sql
from data.ingest.zones import instant_sql
from data.settings import SourceSettings
from data.warehouse import quoted

__all__ = [
    "FIRST_DAY",
    "LAST_DAY",
    "NAIVE",
    "CastRules",
    "ColumnCast",
    "among_sql",
    "column_cast",
    "literal",
    "null_sql",
    "sql_type",
    "stripped_sql",
]

FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2100, 12, 31)  # a shop's dates; outside lie slips and Excel's zero
NAIVE = "NAIVE_TIMESTAMP"  # not a reason for one row: it refuses the delivery
SWAPPED = "DATE_SWAPPED"  # month above 12 and day at most 12: refuses the delivery likewise

_WHITE = " \t\n\r\f\v" + "".join(
    map(chr, (0xA0, 0x1680, *range(0x2000, 0x200C), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF))
)
_ISO_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?"
_OFFSET = r" ?(Z|z|UTC|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)"  # no place is further from UTC than 14 hours
_MIDNIGHT = r"([T ]00:00(:00([.]0+)?)?)?"
_TRUE, _FALSE = ("true", "t", "yes", "y", "1", "1.0"), ("false", "f", "no", "n", "0", "0.0")
_EXCEL_EPOCHS = {"excel": "1899-12-30", "excel1904": "1904-01-01"}
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")


@dataclass(frozen=True)
class CastRules:
    """What a source declares about its values, and the shop's timezone."""

    spec: SourceSettings
    shop_timezone: str
    ids: frozenset[str] = field(default=frozenset())  # columns that identify something: no spreadsheet's 6.93E+12
    is_scanned: bool = True  # control characters of ASCII were looked for already
    is_ascii: bool = False
    is_plain: bool = False  # the column holds nothing but visible ASCII, of sound length: a text needs no second look


@dataclass(frozen=True)
class ColumnCast:
    """The expressions of one column.

    ``value`` and ``shown`` stand over the delivered column; ``bad``, ``reason`` and ``rounded`` stand over both it and
    the cast column, which bears the contract's name: so no cast is evaluated twice. ``rounded`` holds where money had
    more than four decimals.
    """

    value: str
    bad: str
    reason: str
    shown: str
    rounded: str = "false"


def stripped_sql(text: str) -> str:
    """Return SQL for ``text`` without white space around it.

    Stripping a long set of characters is ten times slower than a short one, and plain ASCII holds none of the others;
    what begins and ends with a visible character, as nearly all text does, is not stripped at all.
    """
    is_ascii = f"strlen({text}) = length({text})"
    loose_end = " or ".join(f"suffix({text}, chr({ord(c)}))" for c in " \t\n")
    return (
        f"case when {text} >= '!' and {is_ascii} and not ({loose_end}) then {text} "
        f"when {is_ascii} then trim({text}, ' ' || chr(9) || chr(10)) else trim({text}, {literal(_WHITE)}) end"
    )


def null_sql(stripped: str, null_values: tuple[str, ...]) -> str:
    """Return SQL that is null where the stripped text means null.

    >>> null_sql("x", ("NULL",))
    "case when strlen(x) <= 4 and regexp_full_match(x, '|NULL') then null else x end"
    """
    words = dict.fromkeys(("", *null_values))
    longest = max(len(w.encode()) for w in words)
    return f"case when strlen({stripped}) <= {longest} and {among_sql(stripped, words)} then null else {stripped} end"


def among_sql(value: str, words: Iterable[str]) -> str:
    """Return the condition that ``value`` is one of ``words``; `in` would become a join, which mixes up the rows."""
    pattern = "|".join(re.sub(r"([^A-Za-z0-9_\x80-\U0010ffff])", r"\\\1", word) for word in words)
    return f"regexp_full_match({value}, {literal(pattern)})"


def column_cast(column: Column, text: str, *, physical: str = "VARCHAR", rules: CastRules) -> ColumnCast:
    """Return the expressions of ``column`` over the stripped column or literal ``text`` of DuckDB type ``physical``."""
    is_text = physical == "VARCHAR"
    if is_text and column.name in rules.spec.aliases:
        text = _renamed(text, rules.spec.aliases[column.name])
    cast = _from_text(column, text, rules) if is_text else _from_typed(column, text, physical, rules)
    if column.dtype is DType.MONEY:
        cast = replace(cast, rounded=rounded_sql(column, text, physical, rules.spec))
    if column.name in rules.spec.units:
        value = _in_our_unit(column, cast.value, rules.spec.units[column.name])
        cast = replace(cast, value=value, bad=_not_cast(column, text))
    return _with_range(column, cast, text)


def _renamed(text: str, aliases: Mapping[str, str]) -> str:
    """Return SQL for a value under the name that the shop uses."""
    whens = " ".join(f"when {literal(old)} then {literal(new)}" for old, new in aliases.items())
    return f"(case {text} {whens} else {text} end)" if whens else text


def _in_our_unit(column: Column, value: str, factor: float) -> str:
    """Return SQL for a value times a factor, exactly; a whole number that does not stay one is null."""
    if column.dtype is DType.NUMBER:
        return f"({value}) * {factor!r}"
    product = f"(({value}) * {Decimal(repr(factor)):f})"
    if column.dtype is DType.MONEY:
        return f"try_cast({product} as decimal(18, 4))"
    return f"case when {product} = trunc({product}) then try_cast({product} as bigint) end"


def _from_text(column: Column, text: str, rules: CastRules) -> ColumnCast:
    match column.dtype:
        case DType.JSON:
            value, reason = _json_from_text(text)
        case DType.DATE:
            value, reason = _date_from_text(text, rules)
        case DType.TIMESTAMP:
            value, reason = _instant_from_text(text, rules)
        case DType.INTEGER:
            value, reason = _integer_from_text(text, rules)
        case DType.MONEY:
            value, reason = _money_from_text(text, rules)
        case DType.NUMBER:
            value, reason = _number_from_text(text, rules)
        case DType.FLAG:
            value, reason = _flag_from_text(text)
        case _:
            value, reason = _text_from_text(column, text, rules)
    return ColumnCast(value, "false" if value == text else _not_cast(column, text), reason, text)


def _not_cast(column: Column, text: str) -> str:
    return f"({text} is not null and {quoted(column.name)} is null)"


def _text_from_text(column: Column, text: str, rules: CastRules) -> tuple[str, str]:
    value = masked_sql(text) if column.free_text else text
    if rules.is_plain and column.name not in rules.spec.aliases:
        return value, f"'{Reason.TEXT_LENGTH}'"
    is_id = column.name in rules.ids
    return text_sql(text, value, is_id=is_id, is_scanned=rules.is_scanned, is_ascii=rules.is_ascii)


def _json_from_text(text: str) -> tuple[str, str]:
    value = f"case when starts_with({text}, '{{') and json_valid({text}) then {masked_sql(text)} end"
    return value, f"'{Reason.JSON_FORMAT}'"


def _date_from_text(text: str, rules: CastRules) -> tuple[str, str]:
    declared = rules.spec.date_format
    if declared in _EXCEL_EPOCHS:
        number = f"regexp_full_match({text}, '[0-9]{{1,6}}([.]0+)?')"
        days = f"try_cast(split_part({text}, '.', 1) as integer)"
        value = f"case when {number} then date '{_EXCEL_EPOCHS[declared]}' + {days} end"
        return value, f"'{Reason.DATE_FORMAT}'"
    if declared is not None:
        value = f"try_cast(try_strptime({text}, {literal(declared)}) as date)"
        return value, f"'{Reason.DATE_FORMAT}'"
    matches = f"regexp_full_match({text}, '{_ISO_DATE}{_MIDNIGHT}')"
    value = f"case when {matches} then try_cast(substr({text}, 1, 10) as date) end"
    return value, _date_reason(text, matches)


def _date_reason(text: str, matches: str) -> str:
    month, day = f"try_cast(substr({text}, 6, 2) as integer)", f"try_cast(substr({text}, 9, 2) as integer)"
    return (
        f"case when {matches} and {month} between 13 and 31 and {day} <= 12 then '{SWAPPED}' "
        f"when {matches} then '{Reason.DATE_RANGE}' else '{Reason.DATE_FORMAT}' end"
    )


def _instant_from_text(text: str, rules: CastRules) -> tuple[str, str]:
    zone, declared = rules.spec.timezone, rules.spec.date_format
    aware = f"regexp_full_match({text}, '{_ISO_DATE}[T ]{_CLOCK}{_OFFSET}')"
    naive = f"regexp_full_match({text}, '{_ISO_DATE}([T ]{_CLOCK})?')"
    local = f"try_cast({text} as timestamp)"
    if declared is not None and declared not in _EXCEL_EPOCHS:
        naive, local = f"{text} is not null", f"try_strptime({text}, {literal(declared)})"
    localised = "null" if zone is None else f"timezone({literal(zone)}, {local})"
    tidy = f"regexp_replace(replace(upper({text}), 'UTC', 'Z'), ' (Z|[+-])', '\\1')"  # a z, or a space before +0800
    instant = f"coalesce(try_cast({text} as timestamptz), try_cast({tidy} as timestamptz))"
    value = f"case when {aware} then {instant} when {naive} then {localised} end"
    if declared in _EXCEL_EPOCHS and zone is not None:
        serial = f"regexp_full_match({text}, '[0-9]{{1,6}}([.][0-9]{{1,15}})?')"
        seconds = f"round(try_cast({text} as double) * 86400)::bigint"
        local_serial = f"timestamp '{_EXCEL_EPOCHS[declared]}' + to_seconds({seconds})"
        value = f"case when {serial} then timezone({literal(zone)}, {local_serial}) else {value} end"
    reason = _date_reason(text, f"({aware} or {naive})")
    if zone is None:
        reason = f"case when {naive} and {local} is not null then '{NAIVE}' else {reason} end"
    return value, reason


def _integer_from_text(text: str, rules: CastRules) -> tuple[str, str]:
    plain, numeric = plain_number(text, rules.spec)
    value = (
        f"case when regexp_full_match({plain}, '[+-]?[0-9]{{1,18}}([.]0*)?') "
        f"then try_cast(split_part({plain}, '.', 1) as bigint) end"
    )
    fraction = f"regexp_full_match({plain}, '{numeric}')"
    too_long = f"regexp_full_match({plain}, '[+-]?[0-9]{{19,}}([.]0*)?')"
    return value, (
        f"case when {too_long} then '{Reason.RANGE}' when {fraction} then '{Reason.NOT_INTEGER}' "
        f"else {number_reason(text)} end"
    )


def _money_from_text(text: str, rules: CastRules) -> tuple[str, str]:
    plain, numeric = plain_number(text, rules.spec)
    matches = f"regexp_full_match({plain}, '{numeric}')"
    value = f"case when {matches} then try_cast({plain} as decimal(18, 4)) end"
    is_finite = f"isfinite(coalesce(try_cast({plain} as double), 'inf'::double))"
    too_large = f"case when {is_finite} then '{Reason.PRICE_RANGE}' else '{Reason.NOT_FINITE}' end"
    return value, f"case when {matches} then {too_large} else {number_reason(text)} end"


def _number_from_text(text: str, rules: CastRules) -> tuple[str, str]:
    plain, numeric = plain_number(text, rules.spec)
    matches = f"regexp_full_match({plain}, '{numeric}')"
    number = f"try_cast({plain} as double)"
    value = f"case when {matches} and isfinite({number}) then {number} end"
    return value, f"case when {matches} then '{Reason.NOT_FINITE}' else {number_reason(text)} end"


def _flag_from_text(text: str) -> tuple[str, str]:
    yes, no = (among_sql(f"lower({text})", words) for words in (_TRUE, _FALSE))
    value = f"case when {yes} then true when {no} then false end"
    return value, f"'{Reason.NOT_A_FLAG}'"


def _from_typed(column: Column, text: str, physical: str, rules: CastRules) -> ColumnCast:
    """Cast a column that Parquet already typed; what its type cannot promise is still checked."""
    value, reason = _typed_value(column, text, physical, rules)
    bad = "false" if value == text else _not_cast(column, text)
    return ColumnCast(value, bad, reason, f"cast({text} as varchar)")


def _typed_value(column: Column, text: str, physical: str, rules: CastRules) -> tuple[str, str]:
    is_integer, is_decimal = physical in _INTEGERS, physical.startswith("DECIMAL")
    is_float = physical in ("FLOAT", "DOUBLE")
    exact = f"isfinite({text}::double) and {text}::double = trunc({text}::double) and abs({text}::double) < 9e15"
    not_finite = f"case when not isfinite({text}::double) then '{Reason.NOT_FINITE}' else '{Reason.PRICE_RANGE}' end"
    if column.dtype in (DType.STRING, DType.JSON):
        if is_float:
            return (
                f"case when {exact} then cast({text}::bigint as varchar) else cast({text} as varchar) end",
                f"'{Reason.NOT_A_NUMBER}'",
            )
        as_text = f"cast(to_json({text}) as varchar)" if column.dtype is DType.JSON else f"cast({text} as varchar)"
        return (masked_sql(as_text) if column.free_text else as_text), f"'{Reason.JSON_FORMAT}'"
    if column.dtype is DType.DATE:
        return _typed_date(text, physical), f"'{Reason.DATE_FORMAT}'"
    if column.dtype is DType.TIMESTAMP:
        return _typed_instant(text, physical, rules)
    if column.dtype is DType.FLAG:
        if physical == "BOOLEAN":
            return text, f"'{Reason.NOT_A_FLAG}'"
        return f"case when {text} = 1 then true when {text} = 0 then false end", f"'{Reason.NOT_A_FLAG}'"
    if not (is_integer or is_decimal or is_float):
        return f"try_cast(null as {_sql_type(column)})", f"'{Reason.NOT_A_NUMBER}'"
    if column.dtype is DType.INTEGER:
        if is_integer:
            return f"try_cast({text} as bigint)", f"'{Reason.RANGE}'"
        whole = f"case when {exact} then {text}::double::bigint end"
        return (
            whole,
            f"case when not isfinite({text}::double) then '{Reason.NOT_FINITE}' else '{Reason.NOT_INTEGER}' end",
        )
    if column.dtype is DType.MONEY:
        decimal = f"try_cast({text} as decimal(18, 4))"
        return (f"case when isfinite({text}) then {decimal} end" if is_float else decimal), not_finite
    return (f"case when isfinite({text}) then {text}::double end" if is_float else f"{text}::double"), not_finite


def _typed_date(text: str, physical: str) -> str:
    if physical == "DATE":
        return text
    if physical.startswith("TIMESTAMP WITH TIME ZONE"):
        text = f"timezone('UTC', {text})"
    elif not physical.startswith("TIMESTAMP"):
        return f"case when {text} is null then null::date end"
    return f"case when date_trunc('day', {text}::timestamp) = {text}::timestamp then {text}::date end"


def _typed_instant(text: str, physical: str, rules: CastRules) -> tuple[str, str]:
    if physical.startswith("TIMESTAMP WITH TIME ZONE"):
        return text, f"'{Reason.DATE_RANGE}'"
    if not (physical.startswith("TIMESTAMP") or physical == "DATE"):
        return f"case when {text} is null then null::timestamptz end", f"'{Reason.DATE_FORMAT}'"
    if rules.spec.timezone is None:
        return f"case when {text} is null then null::timestamptz end", f"'{NAIVE}'"
    return instant_sql(rules.spec.timezone, f"{text}::timestamp"), f"'{Reason.DATE_RANGE}'"


def _with_range(column: Column, cast: ColumnCast, text: str) -> ColumnCast:
    """Add the contract's bounds, choices and required values to a cast."""
    bad, reason = [cast.bad], [f"when {cast.bad} then {cast.reason}"]
    out = _out_of_range(column, quoted(column.name))
    if out is not None:
        condition, code = out
        bad.append(f"coalesce({condition}, false)")
        reason.append(f"when {condition} then '{code}'")
    if cast.rounded != "false":  # what is nearly nothing must not become a gift
        vanished = f"({cast.rounded} and {quoted(column.name)} = 0)"
        bad.append(vanished)
        reason.append(f"when {vanished} then '{Reason.PRICE_RANGE}'")
    if column.required:
        bad.append(f"{text} is null")
        reason.append(f"when {text} is null then '{Reason.MISSING}'")
    return replace(cast, bad=f"({' or '.join(bad)})", reason=f"case {' '.join(reason)} end")


def _out_of_range(column: Column, value: str) -> tuple[str, Reason] | None:
    if column.dtype is DType.DATE:
        return f"{value} not between date '{FIRST_DAY}' and date '{LAST_DAY}'", Reason.DATE_RANGE
    if column.dtype is DType.TIMESTAMP:
        return f"{value} not between timestamptz '{FIRST_DAY}' and timestamptz '{LAST_DAY}'", Reason.DATE_RANGE
    if column.choices:
        return f"not {among_sql(value, column.choices)}", Reason.ENUM
    code = Reason.PRICE_RANGE if column.dtype is DType.MONEY else Reason.RANGE
    limits = [f"{value} < {_limit(column, column.minimum)}"] if column.minimum is not None else []
    limits += [f"{value} > {_limit(column, column.maximum)}"] if column.maximum is not None else []
    return (" or ".join(limits), code) if limits else None


def _limit(column: Column, limit: float) -> str:
    """Return a bound as SQL: a whole number beside whole numbers, or they would be compared as decimals."""
    return str(int(limit)) if column.dtype is DType.INTEGER and limit == int(limit) else str(limit)


def _sql_type(column: Column) -> str:
    return sql_type(column.dtype)


def sql_type(dtype: DType) -> str:
    """Return the DuckDB type of a contract's dtype."""
    return {
        DType.STRING: "varchar",
        DType.JSON: "varchar",
        DType.DATE: "date",
        DType.TIMESTAMP: "timestamptz",
        DType.MONEY: "decimal(18, 4)",
        DType.INTEGER: "bigint",
        DType.NUMBER: "double",
        DType.FLAG: "boolean",
        DType.STRINGS: "varchar[]",
    }[dtype]
