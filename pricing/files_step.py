"""The files of the merchandiser's loop in the home folder: working copy, book in force, last night's lines."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pandas as pd

from data.errors import ConfigError
from pricing.errors import RuleBookError
from pricing.lines import LINE_COLUMNS

__all__ = [
    "APPROVED",
    "BOOK",
    "LINES",
    "WEEKS",
    "in_force",
    "keep",
    "kept_lines",
    "kept_weeks",
    "put_in_force",
    "replace",
    "working_copy",
]

BOOK = "pricing_rules.yml"
APPROVED = "approved"
LINES = "price_inputs.parquet"
WEEKS = "price_weeks.parquet"


def working_copy(home: Path) -> str | None:
    """Return the text of pricing_rules.yml, None where there is none.

    Raises:
        RuleBookError: it is not UTF-8.
    """
    path = home / BOOK
    if not path.is_file():
        return None
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RuleBookError(f"{path} is not UTF-8 at byte {error.start}: save it as UTF-8") from error


def in_force(home: Path) -> str | None:
    """Return the text of the book in force: applied last, or the first night's; None before that."""
    path = home / APPROVED / BOOK
    return path.read_text(encoding="utf-8") if path.is_file() else None


def keep(home: Path, text: str, lines: pd.DataFrame, weeks: pd.DataFrame, run_date: date) -> None:
    """Keep the book in force, tonight's lines and the last weeks, for the loop and for a night with a broken book."""
    folder = home / APPROVED
    folder.mkdir(exist_ok=True)
    replace(folder / BOOK, text.encode())
    for name, frame in ((LINES, lines.assign(run_date=pd.Timestamp(run_date))), (WEEKS, weeks)):
        temporary = folder / f".{name}.{os.getpid()}"
        frame.to_parquet(temporary, index=False)
        temporary.replace(folder / name)


def put_in_force(home: Path, text: str) -> str | None:
    """Put a book in force, and return the text of the one before where it was another."""
    before = in_force(home)
    replace(home / APPROVED / BOOK, text.encode())
    return before if before != text else None


def replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(path)


def kept_lines(home: Path) -> tuple[pd.DataFrame, date]:
    """Return the lines of the last night and its date.

    Raises:
        ConfigError: there was no night yet, or nothing to price.
    """
    path = home / APPROVED / LINES
    if not path.is_file():
        raise ConfigError(f"no prices to compare with in {home}: run `merchcast run` first")
    frame = pd.read_parquet(path)
    if frame.empty:
        raise ConfigError("no SKU has a price and a unit cost: there is nothing to price")
    missing = [name for name in LINE_COLUMNS if name not in frame.columns]
    if missing:
        raise ConfigError(f"{path} is of an older version (no {missing[0]}): run `merchcast run` first")
    return frame.drop(columns="run_date"), pd.Timestamp(frame["run_date"].iloc[0]).date()


def kept_weeks(home: Path) -> pd.DataFrame:
    """Return the last weeks of the last night: ``sku``, ``location_id``, ``week``, ``units``, ``price``."""
    path = home / APPROVED / WEEKS
    if not path.is_file():
        raise ConfigError(f"no weeks to replay in {home}: run `merchcast run` first")
    return pd.read_parquet(path)
