"""Errors of the preorder room."""

from __future__ import annotations

from data.errors import DataError

__all__ = ["PreorderError"]


class PreorderError(DataError):
    """Preorder data that cannot be used."""
