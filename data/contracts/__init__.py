"""The written contracts between the shop, the rooms and the readers of a run.

``TABLES`` holds every table by name: inputs under their own names, ``stg_*`` and other internal tables, and outputs.
Frames are brought into a contract's shape by :mod:`data.contracts.frames`, which DAG files do not need.
"""

from __future__ import annotations

from data.contracts.inputs import INPUTS
from data.contracts.internal import INTERNALS, staging_table
from data.contracts.model import Column, DType, Mode, Table, TableKind
from data.contracts.outputs import OUTPUTS, QUANTILES, WHY_BATCH_COLUMNS, WHY_COLUMNS

__all__ = [
    "INPUTS",
    "INTERNALS",
    "OUTPUTS",
    "QUANTILES",
    "TABLES",
    "WHY_BATCH_COLUMNS",
    "WHY_COLUMNS",
    "Column",
    "DType",
    "Mode",
    "Table",
    "TableKind",
    "staging_table",
]

TABLES: dict[str, Table] = {t.name: t for t in (*INPUTS, *INTERNALS, *OUTPUTS)}
"""Every contract by table name."""
