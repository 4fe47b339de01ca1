"""Errors that a run can end with, each with the exit code of the command line."""

from __future__ import annotations

__all__ = ["ChecksFailed", "ConfigError", "ContractError", "DataError", "MerchcastError", "SourceError"]


class MerchcastError(Exception):
    """Base of every error that merchcast raises on purpose. ``exit_code`` is what ``merchcast`` returns."""

    exit_code: int = 1


class ConfigError(MerchcastError):
    """Wrong usage or configuration: nothing was read yet."""

    exit_code = 2


class SourceError(MerchcastError):
    """A source, the orchestration or the disk failed: trying again may help."""

    exit_code = 1


class DataError(MerchcastError):
    """What was delivered cannot be used: trying again does not help."""

    exit_code = 3


class ContractError(DataError):
    """A frame does not have the shape its contract states."""


class ChecksFailed(DataError):
    """At least one check of severity ``error`` failed; the step wrote nothing but its check results."""
