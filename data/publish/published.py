"""Reading published runs: what people, reports and later runs see."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from data.contracts import OUTPUTS
from data.errors import ConfigError
from data.publish.layout import CURRENT, previous_runs, run_folder

__all__ = ["previous_runs", "read_published", "run_folder"]


def read_published(home: Path, table: str, run: str = CURRENT, *, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return a table of a published run as pandas, ordered by key, with the values exactly as published.

    Money is ``decimal.Decimal``, days are ``datetime.date``, whole numbers are ``Int64``.

    Args:
        home: the home folder.
        table: name of an output table.
        run: ``current``, a run date, or a folder name below ``published/.runs``.
        columns: only these, in this order.

    Raises:
        ConfigError: there is no such run, or no such table in it.
    """
    path = run_folder(home, run) / "tables" / f"{table}.parquet"
    if not path.is_file():
        raise ConfigError(f"{table!r} is no table of run {run}; output tables: {', '.join(t.name for t in OUTPUTS)}")
    arrow = pq.read_table(path, columns=None if columns is None else list(columns))
    frame: pd.DataFrame = arrow.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    return frame
