"""Errors of the pricing room."""

from __future__ import annotations

from data.errors import ConfigError

__all__ = ["RuleBookError"]


class RuleBookError(ConfigError):
    """The rule book cannot be used; the message lists each mistake with line and column."""
