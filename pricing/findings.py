"""What is wrong with a rule book, where, and what to write instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding"]


@dataclass(frozen=True, order=True)
class Finding:
    """One mistake or doubt; lines and columns count from 1.

    ``error`` makes the book unusable; ``warning`` is advice. ``witness_sku`` names a SKU of tonight's data that shows
    the finding, where there is one.
    """

    line: int
    column: int
    message: str
    fix: str
    severity: Literal["error", "warning"] = "error"
    rule_id: str | None = None
    witness_sku: str | None = None

    def __str__(self) -> str:
        """Return ``line:column: severity: message; fix``."""
        witness = f" (see SKU {self.witness_sku})" if self.witness_sku else ""
        return f"{self.line}:{self.column}: {self.severity}: {self.message}{witness}; {self.fix}"
