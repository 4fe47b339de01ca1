"""The manifest of a published run: what is in it, byte for byte, and the digest that names its folder.

The digest covers what the same inputs must give again: run date, settings, code version, row accounts and every file
but those that hold times and durations (``run_log``, ``checks``, ``quarantine`` and the page of checks). Those are
hashed in the manifest like all others, and verified like all others.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

__all__ = ["FileEntry", "Manifest", "file_entry", "is_volatile", "read_manifest", "sha256_of_file"]

_FORMAT = 1  # version of the manifest's layout
_SHORT = 8  # hex digits of the digest in the folder's name
_VOLATILE_TABLES = ("run_log", "checks", "quarantine")
_VOLATILE_REPORTS = "quality."  # quality.html, quality.en.html, quality.zh.html


@dataclass(frozen=True)
class FileEntry:
    """One file: sha256, size [bytes], and rows where it holds a table."""

    sha256: str
    bytes: int
    rows: int | None = None


@dataclass(frozen=True)
class Manifest:
    """What a published run holds. ``files`` is keyed by path within the run, with forward slashes."""

    run_date: date
    code_version: str
    config_sha256: str
    files: dict[str, FileEntry]
    checks: dict[str, int] = field(default_factory=dict)
    row_accounts: dict[str, int] = field(default_factory=dict)
    published_at: datetime | None = None

    @property
    def digest(self) -> str:
        """sha256 of the deterministic part."""
        part = self._plain()
        part["files"] = {name: entry for name, entry in part["files"].items() if not is_volatile(name)}
        for volatile in ("published_at", "content_sha256", "checks"):
            part.pop(volatile, None)
        return hashlib.sha256(json.dumps(part, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    @property
    def folder(self) -> str:
        """Name of the run's folder: ``<run_date>-<first 8 digits of the digest>``."""
        return f"{self.run_date.isoformat()}-{self.digest[:_SHORT]}"

    def to_json(self) -> str:
        """Return the text of ``manifest.json``."""
        plain = {"content_sha256": self.digest, **self._plain()}
        return json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False) + "\n"

    def _plain(self) -> dict[str, Any]:
        return {
            "format": _FORMAT,
            "run_date": self.run_date.isoformat(),
            "code_version": self.code_version,
            "config_sha256": self.config_sha256,
            "files": {
                name: {k: v for k, v in asdict(entry).items() if v is not None} for name, entry in self.files.items()
            },
            "checks": self.checks,
            "row_accounts": self.row_accounts,
            "published_at": self.published_at.isoformat() if self.published_at else None,
        }


def is_volatile(path: str) -> bool:
    """Return whether a file of a run may differ between two runs on the same inputs, in times and durations.

    Example:
        >>> is_volatile("tables/run_log.csv"), is_volatile("tables/forecasts.csv")
        (True, False)
    """
    folder, _, name = path.partition("/")
    if folder == "reports":
        return name.startswith(_VOLATILE_REPORTS)
    return folder == "tables" and name.split(".")[0] in _VOLATILE_TABLES


def file_entry(path: Path, *, rows: int | None = None) -> FileEntry:
    """Return the entry of a file as it stands on the disk."""
    return FileEntry(sha256_of_file(path), path.stat().st_size, rows)


def sha256_of_file(path: Path) -> str:
    """Return the sha256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_manifest(path: Path) -> Manifest:
    """Return the manifest in a file.

    Raises:
        ValueError: the file is no manifest of this format; OSError: it cannot be read.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw["format"] != _FORMAT:
            raise ValueError(f"format {raw['format']!r}, expected {_FORMAT}")
        at = raw["published_at"]
        return Manifest(
            date.fromisoformat(raw["run_date"]),
            str(raw["code_version"]),
            str(raw["config_sha256"]),
            {name: FileEntry(**entry) for name, entry in raw["files"].items()},
            dict(raw["checks"]),
            dict(raw["row_accounts"]),
            datetime.fromisoformat(at) if at else None,
        )
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise ValueError(f"not a manifest: {error!r}") from error
