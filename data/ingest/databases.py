"""Sources of kind ``sql``: PostgreSQL as a stream of Arrow through ADBC, any other database through SQLAlchemy.

A query binds ``:run_date`` and ``:watermark`` and nothing is ever pasted into it. What it returns is written to a
Parquet file as it streams in, then lands. PostgreSQL types stay types; other databases' values become text in plain
notation, and take the strict path that the text of a file takes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import reduce
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.contracts import Table
from data.errors import ConfigError
from data.ingest.child import reading_child
from data.ingest.connections import Connection
from data.ingest.exchange import written_behind
from data.ingest.people import may_hold_people, roles_of
from data.ingest.pulls import Mark, Pull, SourceFault, Transient, later_mark, text_of_mark
from data.ingest.stream_split import StreamSplit
from data.settings import SourceSettings

__all__ = ["BINDS", "Database", "bound_names"]

BINDS = ("run_date", "watermark")
_ROWS_AT_A_TIME = 100_000
_BIND = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/|::|(?<![:\w]):([A-Za-z_]\w*)", re.DOTALL)
_LAST_SECOND = 253_402_300_799  # [s] of the year 9999, since 1970
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_ABOUT_THE_QUERY = "42"  # class of SQLSTATE: syntax, names that there are not, rights
_BEYOND_BIGINT = 2**63
_UUID_BYTES = 16
_BATCH_BYTES_HINT = 33_554_432  # [bytes] of one Arrow batch from PostgreSQL


@dataclass
class Database:
    """A source that asks a database."""

    connection: Connection
    pull: Pull
    query: str

    @property
    def name(self) -> str:
        """Name of the source."""
        return self.pull.name

    @property
    def table(self) -> Table:
        """The input table it feeds."""
        return self.pull.table

    @property
    def spec(self) -> SourceSettings:
        """Its settings."""
        return self.pull.spec

    def pulled(self) -> tuple[Path, str | None, int]:
        """Ask the database; return the file of what it answered, the new watermark and the number of rows.

        Raises:
            SourceUnavailable: the database cannot be reached, or went away while it was read.
            SourceFault: it refused the query.
            ConfigError: the query binds what there is not.
        """
        bound_names(self.query, self.name)
        asked = self._from_postgres if is_postgres(self.connection.url) else self._from_any
        return self.pull.tried(asked, f"reading {self.connection.name}")

    def close(self) -> None:
        """Remove the pulled file."""
        self.pull.close()

    def _from_postgres(self) -> tuple[Path, str | None, int]:
        import adbc_driver_postgresql.dbapi as adbc

        path = self.pull.path("parquet")
        limit = int(self.spec.timeout_seconds * 1000)
        try:
            url = _with_timeout(self.connection.url, self.spec.timeout_seconds)
            with adbc.connect(url) as connection, connection.cursor() as cursor:
                self._set_binds(cursor, limit)
                cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(_BATCH_BYTES_HINT)})
                cursor.execute(_with_settings(self.query, self.pull.mark if self.spec.watermark else None))
                with cursor.fetch_record_batch() as reader:
                    return (path, *self._written(reader, path))
        except (adbc.OperationalError, adbc.InternalError, pa.ArrowException, OSError) as error:
            raise Transient(str(error)) from error
        except adbc.Error as error:
            if _is_passing(error) and not str(error.sqlstate or "").startswith(_ABOUT_THE_QUERY):
                raise Transient(str(error)) from error
            raise SourceFault(f"source {self.name}: {self.connection.masked(error)}") from None

    def _set_binds(self, cursor: Any, statement_timeout: int) -> None:
        """Bind the parameters as settings of the session: a query with parameters of its own could not stream."""
        values = {"run_date": self.pull.run_date.isoformat()}
        if self.spec.watermark:
            values["watermark"] = str(self.pull.mark)
        for name, value in values.items():
            cursor.execute("select set_config($1, $2, false)", (f"merchcast.{name}", value))
            cursor.fetchall()
        deadline = max(1, int(min(self.pull.seconds_left, self.spec.deadline_seconds) * 1000))
        cursor.execute("select set_config($1, $2, false)", ("statement_timeout", str(max(statement_timeout, deadline))))
        cursor.fetchall()

    def _written(self, reader: pa.RecordBatchReader, path: Path) -> tuple[str | None, int]:
        """Write a stream to Parquet; return the largest value of the watermark's column, and the rows."""
        schema = pa.schema([pa.field(f.name, _storage(f.type)) for f in reader.schema])
        self._refuse_columns(schema.names)
        highest: str | None = None
        rows = 0
        with reading_child() as child:
            child.begin()  # it gets ready while rows stream in
        with self._into(path, schema) as write:
            for batch in reader:
                if self.pull.seconds_left <= 0:
                    raise Transient("the deadline passed while rows came in")
                table = pa.Table.from_batches([_plain_batch(batch, schema)])
                write(table)
                rows += table.num_rows
                highest = self._higher(highest, table)
        return highest, rows

    def _higher(self, highest: str | None, rows: pa.Table) -> str | None:
        """Return the later of a watermark and the latest in some rows; a number that comes as text is a number."""
        if not self.spec.watermark:
            return highest
        column = rows.column(self.spec.watermark)
        is_ordered = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
        if is_ordered or pa.types.is_temporal(column.type):
            column = pc.filter(column, pc.is_finite(column)) if pa.types.is_floating(column.type) else column
            return self._later(highest, [_latest(column)])
        return self._later(highest, pc.unique(column).to_pylist())

    def _later(self, highest: str | None, values: Iterable[Any]) -> str | None:
        """Return the latest of some values of the watermark's column and what was found before."""
        try:
            marks = [text for value in values if (text := text_of_mark(value)) is not None]
        except ValueError as error:
            raise ConfigError(
                f"source {self.name}: its watermark {self.spec.watermark!r} has to be a number, a day or an instant; "
                f"{self.connection.masked(error)}"
            ) from None
        return reduce(later_mark, marks if highest is None else [*marks, highest]) if marks else highest

    @contextmanager
    def _into(self, path: Path, schema: pa.Schema) -> Iterator[Callable[[pa.Table], None]]:
        """Yield what writes rows to ``path`` while the next ones come; people are taken out of them on the way."""
        roles = may_hold_people(self.table) and roles_of(self.table, self.spec, schema.names)
        if not roles:
            with pq.ParquetWriter(path, schema, compression="lz4") as writer, written_behind(writer.write_table) as add:
                yield add
            return
        split = StreamSplit(path, schema, roles, tag=self.pull.tag, nulls=self.spec.null_values)
        with closing(split), written_behind(split.add) as add:
            yield add
        self.pull.parted = split.parted()

    def _refuse_columns(self, names: list[str]) -> None:
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise SourceFault(f"source {self.name}: the query gives two columns the name {twice[0]!r}; use `as`")
        if self.spec.watermark and self.spec.watermark not in names:
            raise ConfigError(
                f"source {self.name}: watermark {self.spec.watermark!r} is no column of its query; found {names[:20]}"
            )

    def _from_any(self) -> tuple[Path, str | None, int]:
        import sqlalchemy as sa

        path = self.pull.path("parquet")
        values: dict[str, Mark] = {"run_date": self.pull.run_date, "watermark": self.pull.mark}
        used = {n: v for n, v in values.items() if n in bound_names(self.query, self.name)}
        try:
            engine = sa.create_engine(self.connection.url)
        except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ImportError) as error:
            raise ConfigError(f"connections.{self.connection.name}: {self.connection.masked(error)}") from None
        try:
            with engine.connect().execution_options(stream_results=True, yield_per=_ROWS_AT_A_TIME) as connection:
                result = connection.execute(sa.text(self.query), used)
                names = list(result.keys())
                self._refuse_columns(names)
                return (path, *self._written_as_text(result, names, path))
        except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError, OSError) as error:
            if _is_passing(error) or not _is_about_the_query(error):
                raise Transient(str(getattr(error, "orig", error))) from error
            raise SourceFault(f"source {self.name}: {self.connection.masked(getattr(error, 'orig', error))}") from None
        except sa.exc.SQLAlchemyError as error:
            raise SourceFault(f"source {self.name}: {self.connection.masked(getattr(error, 'orig', error))}") from None
        finally:
            engine.dispose()

    def _written_as_text(self, result: Any, names: list[str], path: Path) -> tuple[str | None, int]:
        schema = pa.schema([pa.field(n, pa.string()) for n in names])
        at = names.index(self.spec.watermark) if self.spec.watermark else None
        highest: str | None = None
        rows = 0
        with pq.ParquetWriter(path, schema, compression="lz4") as writer:
            for part in result.partitions(_ROWS_AT_A_TIME):
                if self.pull.seconds_left <= 0:
                    raise Transient("the deadline passed while rows came in")
                columns = [[_text(row[i]) for row in part] for i in range(len(names))]
                writer.write_table(pa.table(columns, schema=schema))
                rows += len(part)
                if at is not None:
                    highest = self._later(highest, (row[at] for row in part))
        return highest, rows


def is_postgres(url: str) -> bool:
    """Return whether a URL names a PostgreSQL server."""
    return urlsplit(url).scheme.partition("+")[0] in ("postgresql", "postgres")


def bound_names(query: str, source: str) -> set[str]:
    """Return the parameters that a query binds. Raises ``ConfigError`` for one that there is not.

    >>> sorted(bound_names("select a::date, ':x' from t where d = :run_date -- :no", "orders"))
    ['run_date']
    """
    found = {m[1] for m in _BIND.finditer(query) if m[1]}
    unknown = sorted(found - set(BINDS))
    if unknown:
        raise ConfigError(f"source {source}: its query binds :{unknown[0]}; known are :run_date and :watermark")
    return found


def _with_settings(query: str, mark: Mark | None) -> str:
    """Return the query with its parameters read from settings of the session, typed."""
    kinds = {int: "bigint", Decimal: "numeric", datetime: "timestamptz", date: "date"}
    casts = {"run_date": "date", "watermark": kinds[type(mark)] if mark is not None else "timestamptz"}
    if isinstance(mark, int) and abs(mark) >= _BEYOND_BIGINT:
        casts["watermark"] = "numeric"
    if isinstance(mark, datetime) and mark.tzinfo is None:
        casts["watermark"] = "timestamp"  # its column knows of no zone, whatever zone the session is in

    def setting(match: re.Match[str]) -> str:
        name = match[1]
        return f"current_setting('merchcast.{name}')::{casts[name]}" if name else match[0]

    return _BIND.sub(setting, query)


def _with_timeout(url: str, seconds: float) -> str:
    """Return a URL for libpq that gives up connecting in time and notices a peer that is gone."""
    parts = urlsplit(url)
    wanted = {
        "connect_timeout": str(max(2, int(min(seconds, 30)))),
        "keepalives_idle": "10",
        "tcp_user_timeout": str(int(seconds * 1000)),
    }
    extra = "&".join(f"{k}={v}" for k, v in wanted.items() if f"{k}=" not in parts.query)
    query = "&".join(q for q in (parts.query, extra) if q)
    return urlunsplit(("postgresql", parts.netloc, parts.path, query, ""))


def _storage(arrow: pa.DataType) -> pa.DataType:
    """Return the plain type below an extension (a ``numeric`` comes as text that says so).

    A UUID becomes text, and so does an interval, for which Parquet has no type.
    """
    plain = getattr(arrow, "storage_type", arrow)
    return pa.string() if _is_uuid(plain) or pa.types.is_interval(plain) else plain


def _is_uuid(plain: pa.DataType) -> bool:
    return bool(pa.types.is_fixed_size_binary(plain) and plain.byte_width == _UUID_BYTES)


def _plain_batch(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    plain = [getattr(column, "storage", column) for column in batch.columns]
    columns = [
        column if column.type == want else _as_text(column) for column, want in zip(plain, schema.types, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _as_text(column: pa.Array) -> pa.Array:
    spelled = (lambda v: UUID(bytes=v)) if _is_uuid(column.type) else str
    return pa.array([None if v is None else str(spelled(v)) for v in column.to_pylist()], pa.string())


def _latest(column: pa.ChunkedArray) -> Any:
    """Return the largest value of a column. A day or instant beyond the calendar, such as infinity, is none."""
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date32(kind):
        last = _LAST_SECOND * _PER_SECOND[kind.unit] if pa.types.is_timestamp(kind) else _LAST_SECOND // 86_400
        number = column.cast(pa.int64() if pa.types.is_timestamp(kind) else pa.int32())
        column = pc.filter(column, pc.less_equal(number, last))
    return pc.max(column).as_py()


def _text(value: Any) -> str | None:
    """Return a database's value in plain notation."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, (bytes, memoryview)):
        return bytes(value).decode("utf-8", errors="replace")
    return str(value)


def _is_passing(error: Exception) -> bool:
    """Return whether an error speaks of the way to the server and not of the query."""
    words = "connect|terminat|timeout|timed out|shut|starting up|lock|recovery|reset|closed|too many|no route|refused"
    return re.search(words, str(error).lower()) is not None


def _is_about_the_query(error: Exception) -> bool:
    return (
        re.search("syntax|no such (table|column)|does not exist|ambiguous|unknown column", str(error).lower())
        is not None
    )
