"""Where a mistake of syntax really is, and what to write: the parser often notices it a line or more later."""

from __future__ import annotations

import re

from ruamel.yaml.error import MarkedYAMLError

from pricing.findings import Finding

__all__ = ["syntax_finding"]

_NO_SPACE_AFTER_COLON = re.compile(r"^(\s*(?:- )?)([A-Za-z_]\w*):(\S.*)$")
_NO_SPACE_AFTER_DASH = re.compile(r"^(\s*)-(\w+:.*)$")
_NO_COLON = re.compile(r"^(\s*(?:- )?)([A-Za-z_]\w*)(\s+\S.*)?$")
_VALUE_BEFORE_BLOCK = re.compile(r"^(\s*(?:- )?)([A-Za-z_]\w*): +(\S.*)$")


def syntax_finding(text: str, error: MarkedYAMLError) -> Finding:
    """Return what is wrong with the syntax of ``text``, where it can be mended.

    Args:
        text: of the book.
        error: what the parser says.
    """
    message = f"no valid YAML: {' '.join(str(p).strip() for p in (error.context, error.problem) if p)}"
    lines = text.split("\n")
    problem, context = error.problem_mark, error.context_mark
    if problem is not None and "mapping values are not allowed" in str(error.problem):
        found = _runs_on(lines, problem.line)
        if found is not None:
            return found
    if problem is not None and "<block end>" in str(error.problem):
        above = _block_value(lines, problem.line) or _odd_block(lines, problem.line, message)
        if above is not None:
            return above
    is_cut = any(word in f"{error.context} {error.problem}" for word in ("end of stream", "stream end", "a flow"))
    mark = (context if is_cut else None) or problem or context
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    return Finding(line, column, message, _syntax_fix(str(error)))


def _runs_on(lines: list[str], at: int) -> Finding | None:
    """A line above that runs on into the one where a colon then makes no sense."""
    above = next((i for i in range(at - 1, -1, -1) if lines[i].strip() and not lines[i].lstrip().startswith("#")), None)
    if above is None:
        return None
    line = lines[above]
    for pattern, message, fix in (
        (_NO_SPACE_AFTER_DASH, "a dash without a space after it", "put a space after the dash: `- {0}`"),
        (_NO_SPACE_AFTER_COLON, "a colon without a space after it", "put a space after the colon: `{0}: {1}`"),
        (_NO_COLON, "a key without a colon", "put a colon after it: `{0}:`"),
    ):
        found = pattern.match(line)
        if found:
            words = [str(g).strip() for g in found.groups()[1:]]
            return Finding(above + 1, len(found.group(1)) + 1, message, fix.format(*words))
    return _block_value(lines, at)


def _block_value(lines: list[str], at: int) -> Finding | None:
    """A value on the line above a list that stands below the same key."""
    found = _VALUE_BEFORE_BLOCK.match(lines[at - 1]) if at else None
    if found is None or not lines[at].lstrip().startswith("- ") or _indent(lines[at]) < len(found.group(1)):
        return None
    message = f"'{found.group(2)}' has a value and a list below it"
    fix = f"delete `{found.group(3).strip()}`, or the list"
    return Finding(at, len(found.group(1)) + 1, message, fix)


def _odd_block(lines: list[str], at: int, message: str) -> Finding | None:
    """The block above a line that no block can hold, where it is the block's indent that stands alone.

    It is where lines below have the indent of the line itself.
    """
    here = _indent(lines[at])
    below = [_indent(line) for line in lines[at + 1 :] if line.strip()]
    if here == 0 or next((b for b in below if b <= here), -1) != here:
        return None
    first = at
    while first > 0 and (not lines[first - 1].strip() or _indent(lines[first - 1]) > here):
        first -= 1
    if first == at:
        return None
    fix = "indent it like the lines below it, or start it with `- ` if it is an item of a list"
    return Finding(first + 1, _indent(lines[first]) + 1, message, fix)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _syntax_fix(message: str) -> str:
    if "\\t" in message or "tab" in message:
        return "indent with spaces, not tabs"
    if "cannot start any token" in message:
        return "delete the character, or put the text in quotes"
    if "quoted scalar" in message:
        return "close the quote"
    if "flow" in message:
        return "close the bracket, or put a comma between the items"
    if "mapping values are not allowed" in message:
        return "put the text in quotes if it holds a colon, or check the indent"
    return "check indent, quotes and brackets at this place"
