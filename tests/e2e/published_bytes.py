"""What must be the same, byte for byte, for the same inputs."""

from __future__ import annotations

import hashlib
from pathlib import Path

UNSTABLE = ("run_log", "checks", "quarantine")
"""Tables that may differ in times, durations and memory from one run to the next."""


def digests(run: Path) -> dict[str, str]:
    """Return the sha256 of every published file that must be the same for the same inputs."""
    files = [p for folder in ("tables", "reports") for p in sorted((run / folder).iterdir())]
    return {
        p.name: hashlib.sha256(p.read_bytes()).hexdigest()
        for p in files
        if p.stem not in UNSTABLE and not p.name.startswith("quality.")
    }
