"""The rule book at the command line."""

from __future__ import annotations
