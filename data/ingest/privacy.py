"""No person enters the warehouse: buyer references become keyed hashes on arrival, free text loses phone numbers.

The key lies outside the home folder (``MERCHCAST_BUYER_KEY``, else ``~/.config/merchcast/buyer.key``), so that the
home folder alone does not tell who bought what.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

__all__ = ["KEY_VARIABLE", "buyer_key", "hmac_pads", "hmac_sql", "key_path", "masked_sql", "pseudonym_sql"]

KEY_VARIABLE = "MERCHCAST_BUYER_KEY"
HASH_HEX_DIGITS = 32  # 128 bits of HMAC-SHA256
MASK = "[masked]"
_BLOCK_BYTES = 64  # of SHA-256, RFC 2104
_KEY_BYTES = 32

# Numbers that call a person: international ones with +, Chinese mobiles, North American ones with separators.
_PHONES = (
    r"(^|[^0-9])([+][0-9]{1,3}[ -]?[0-9(][0-9() -]{6,14}[0-9])([^0-9]|$)",
    r"(^|[^0-9])(1[3-9][0-9][- ]?[0-9]{4}[- ]?[0-9]{4})([^0-9]|$)",
    r"(^|[^0-9])([(]?[0-9]{3}[)]?[ .-][0-9]{3}[ .-][0-9]{4})([^0-9]|$)",
)
_EMAIL = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+[.][A-Za-z]{2,}"


def key_path() -> Path:
    """Return where a generated key is kept: below ``XDG_CONFIG_HOME``, else ``~/.config``."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "merchcast" / "buyer.key"


def buyer_key() -> bytes:
    """Return the secret key of buyer hashes: from the environment, else from its file, made on first use (0600)."""
    given = os.environ.get(KEY_VARIABLE)
    if given:
        return given.encode("utf-8")
    path = key_path()
    if not path.is_file():
        _make_key(path)
    return path.read_text(encoding="ascii").strip().encode("ascii")


def _make_key(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return  # another run was quicker
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(_KEY_BYTES) + "\n")


def hmac_pads(key: bytes) -> tuple[bytes, bytes]:
    """Return the outer and inner padded key of HMAC-SHA256 (RFC 2104)."""
    block = (hashlib.sha256(key).digest() if len(key) > _BLOCK_BYTES else key).ljust(_BLOCK_BYTES, b"\0")
    return bytes(b ^ 0x5C for b in block), bytes(b ^ 0x36 for b in block)


def hmac_sql(text: str) -> str:
    """Return SQL for the first 32 hex digits of HMAC-SHA256 of ``text``; the pads are variables of the session.

    ``set variable buyer_outer`` and ``buyer_inner`` to :func:`hmac_pads` first: the key never stands in a statement.
    """
    inner = f"unhex(sha256(getvariable('buyer_inner')::blob || encode({text})))"
    return f"substr(sha256(getvariable('buyer_outer')::blob || {inner}), 1, {HASH_HEX_DIGITS})"


def pseudonym_sql(text: str) -> str:
    """Return SQL for the keyed hash of a buyer's reference; ``17850.0`` and ``17850`` are one buyer."""
    plain = f"regexp_replace(cast({text} as varchar), '^([0-9]+)[.]0+$', '\\1')"
    return f"case when {text} is not null then {hmac_sql(plain)} end"


def masked_sql(text: str) -> str:
    """Return SQL for ``text`` with phone numbers and e-mail addresses masked."""
    masked = text
    for phone in _PHONES:
        masked = f"regexp_replace({masked}, '{phone}', '\\1{MASK}\\3', 'g')"
    masked = f"regexp_replace({masked}, '{_EMAIL}', '{MASK}', 'g')"
    suspicious = f"regexp_matches({text}, '[0-9][0-9 ().-]{{6,}}[0-9]|@')"
    return f"case when {suspicious} then {masked} else {text} end"
