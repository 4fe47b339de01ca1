"""Which texts may not be loaded: too long, with characters that nobody sees, or an id that a spreadsheet has spoilt.

And how a value is written in SQL.
"""

from __future__ import annotations

from data.ingest.faults import Reason

__all__ = ["literal", "text_sql"]

MAX_TEXT_BYTES = 20_000  # [bytes] of one text value
_DIGIT, _POINT, _E = "[0-9０-９]", "[.．,，]", "[eEｅＥ]"  # full-width digits too: they become plain ones
_SCIENTIFIC = (  # 1E5 may be a shop's own code; what has a plus or a fraction is a spreadsheet's
    f"[+＋-]?{_DIGIT}(({_POINT}{_DIGIT}+)?{_E}[+＋]|{_POINT}{_DIGIT}+{_E}){_DIGIT}{{1,3}}"
)
_CONTROLS = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x{80}-\x{9f}]"
_HIDDEN = r"[\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2060}-\x{2069}\x{feff}]"  # they make two ids look like one


def literal(value: object) -> str:
    """Return ``value`` as an SQL literal; text is quoted."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    return "'" + str(value).replace("'", "''") + "'"


def text_sql(text: str, value: str, *, is_id: bool, is_scanned: bool, is_ascii: bool) -> tuple[str, str]:
    """Return SQL for a text (null where it may not be loaded) and for the reason.

    Args:
        text: SQL of the delivered text.
        value: SQL of what is loaded of it.
        is_id: it identifies something.
        is_scanned: control characters of ASCII were looked for already, in the bytes of the file; not in Parquet.
        is_ascii: the file holds nothing else.
    """
    conditions = [f"strlen({text}) > {MAX_TEXT_BYTES}"]
    if is_id:
        conditions.append(f"regexp_full_match({text}, '{_SCIENTIFIC}')")
    control = _control_sql(text, is_id=is_id, is_scanned=is_scanned, is_ascii=is_ascii)
    conditions += [control] if control else []
    checked = f"case when {' or '.join(conditions)} then null else {value} end"
    is_control = f"when {control} then '{Reason.CONTROL_CHAR}' " if control else ""
    reason = (
        f"case when strlen({text}) > {MAX_TEXT_BYTES} then '{Reason.TEXT_LENGTH}' {is_control}"
        f"else '{Reason.SCIENTIFIC_ID}' end"
    )
    return checked, reason


def _control_sql(text: str, *, is_id: bool, is_scanned: bool, is_ascii: bool) -> str | None:
    """Return the condition that a text holds control characters, or an id invisible ones, that nobody looked for."""
    if is_scanned and is_ascii:
        return None
    found = f"regexp_matches({text}, '{_CONTROLS}|{_HIDDEN}')" if is_id else f"regexp_matches({text}, '{_CONTROLS}')"
    return f"(strlen({text}) <> length({text}) and {found})" if is_scanned else found
