"""What can be wrong with a delivery: codes, and the error that stops the ingest step.

The codes are what a reader of the quarantine, the checks and the error messages sees. ``tests/faults`` has a test for
each fault of the catalogue that is handled here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from data.errors import DataError, SourceError

__all__ = [
    "JUDGED_ANEW",
    "MAX_CULPRITS",
    "DeliveryMissing",
    "DeliveryRefused",
    "DeliveryUnstable",
    "Fault",
    "Reason",
    "combined",
]

MAX_CULPRITS = 5  # an error names at most so many


class Fault(StrEnum):
    """Why a whole delivery is refused: the step fails and nothing of it is loaded."""

    BOTH_SALES_SHAPES = "BOTH_SALES_SHAPES"
    CHECKSUM_MISMATCH = "CHECKSUM_MISMATCH"
    CONTENT_TYPE = "CONTENT_TYPE"
    DATE_SWAPPED = "DATE_SWAPPED"
    DECOMPRESSION_LIMIT = "DECOMPRESSION_LIMIT"
    DIALECT_DRIFT = "DIALECT_DRIFT"
    EMPTY_FILE = "EMPTY_FILE"
    ENCODING = "ENCODING"
    ENCODING_MIXED = "ENCODING_MIXED"
    FORMAT = "FORMAT"
    LIMIT = "LIMIT"
    NAIVE_TIMESTAMP = "NAIVE_TIMESTAMP"
    PAGINATION = "PAGINATION"
    PARSER_DISAGREEMENT = "PARSER_DISAGREEMENT"
    QUARANTINE_LIMIT = "QUARANTINE_LIMIT"
    ROW_COUNT_BELOW_MIN = "ROW_COUNT_BELOW_MIN"
    SCHEMA_DRIFT = "SCHEMA_DRIFT"
    SOURCE_MISSING = "SOURCE_MISSING"
    STILL_WRITTEN = "STILL_WRITTEN"
    TRUNCATED = "TRUNCATED"
    UNIT_SHIFT = "UNIT_SHIFT"
    UNSAFE_PATH = "UNSAFE_PATH"


class Reason(StrEnum):
    """Why one row is in quarantine."""

    AMBIGUOUS_NUMBER = "AMBIGUOUS_NUMBER"  # 1.234,56: which mark is the decimal one?
    CONTROL_CHAR = "CONTROL_CHAR"
    CURRENCY_UNKNOWN = "CURRENCY_UNKNOWN"  # no rate for its day, or before
    DATE_FORMAT = "DATE_FORMAT"
    DATE_RANGE = "DATE_RANGE"  # no such day, or outside 1900-2100
    DUP_CONFLICT = "DUP_CONFLICT"  # one key, different values, one file
    ENUM = "ENUM"  # not among the contract's choices
    FUTURE = "FUTURE"  # dated after its own arrival
    JSON_FORMAT = "JSON_FORMAT"
    KEY_COLLISION = "KEY_COLLISION"  # two spellings become one key, with different values
    MISSING = "MISSING"  # a required value is null
    NO_CAMPAIGN = "NO_CAMPAIGN"  # a preorder of what no campaign sells
    NOT_A_FLAG = "NOT_A_FLAG"
    NOT_A_NUMBER = "NOT_A_NUMBER"
    NOT_FINITE = "NOT_FINITE"
    NOT_INTEGER = "NOT_INTEGER"
    PRICE_RANGE = "PRICE_RANGE"
    QUOTE = "QUOTE"  # a quote that never closes
    RANGE = "RANGE"
    RETURN_EXCEEDS_SALES = "RETURN_EXCEEDS_SALES"
    SCIENTIFIC_ID = "SCIENTIFIC_ID"  # a spreadsheet ate the digits
    TEXT_LENGTH = "TEXT_LENGTH"
    UNKNOWN_SKU = "UNKNOWN_SKU"
    WIDTH = "WIDTH"  # more or fewer fields than the header


JUDGED_ANEW = (Reason.UNKNOWN_SKU, Reason.NO_CAMPAIGN, Reason.RETURN_EXCEEDS_SALES)
"""Reasons that depend on other rows: taken anew on every run, so that a row loads by itself once it may."""


@dataclass(frozen=True)
class Place:
    """Where something was found."""

    source: str
    file: str
    line: int | None = None

    def __str__(self) -> str:
        line = "" if self.line is None else f", line {self.line}"
        return f"source {self.source}, file {self.file}{line}"


class DeliveryRefused(DataError):
    """A delivery breaks a rule that concerns the whole file.

    Attributes:
        fault: the rule broken.
        places: ``source, file, line`` of the culprits.
    """

    def __init__(self, fault: Fault, message: str, *, source: str, file: str, line: int | None = None) -> None:
        self.fault = fault
        self.place = Place(source, file, line)
        super().__init__(f"{fault}: {self.place}: {message}")


class DeliveryMissing(SourceError):
    """A source that the run cannot do without delivered nothing, or cannot be reached."""


class DeliveryUnstable(DeliveryRefused):
    """A file was still being written after all retries."""


def combined(refused: list[DeliveryRefused]) -> DeliveryRefused | DataError:
    """Return one error for many refused deliveries: all messages, at most five, the first one's kind.

    >>> one = DeliveryRefused(Fault.EMPTY_FILE, "0 bytes", source="stock", file="a.csv")
    >>> str(combined([one]))
    'EMPTY_FILE: source stock, file a.csv: 0 bytes'
    """
    if len(refused) == 1:
        return refused[0]
    lines = [f"  {error}" for error in refused[:MAX_CULPRITS]]
    rest = len(refused) - MAX_CULPRITS
    more = [f"  and {rest} more"] if rest > 0 else []
    return DataError("\n".join([f"{len(refused)} deliveries were refused:", *lines, *more]))
