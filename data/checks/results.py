"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["CheckResult", "Severity", "Status"]

Severity = Literal["error", "warn"]
Status = Literal["pass", "warn", "fail"]
_MAX_SAMPLES = 5


@dataclass(frozen=True)
class CheckResult:
    """One row of the table ``checks``; ``sample_keys`` holds at most five culprits."""

    step: str
    table: str
    check: str
    status: Status
    severity: Severity
    observed: str = ""
    expected: str = ""
    rows_checked: int = 0
    rows_failed: int = 0
    sample_keys: tuple[str, ...] = ()
    advice: str = ""

    def __post_init__(self) -> None:
        if len(self.sample_keys) > _MAX_SAMPLES:
            object.__setattr__(self, "sample_keys", self.sample_keys[:_MAX_SAMPLES])

    @property
    def stops_the_run(self) -> bool:
        """True where the check failed and its severity is ``error``."""
        return self.status == "fail"
