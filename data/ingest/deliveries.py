"""One delivered file, inspected: its header, its record count, how its columns meet the contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from data.contracts import Mode, Table
from data.ingest.delimited import Delimited, prepared
from data.ingest.faults import DeliveryRefused, Fault
from data.ingest.formats import MAX_EXPANSION, FileFormat, file_format
from data.ingest.json_lines import prepared_json_lines
from data.ingest.landing import Sighting
from data.ingest.plain_columns import PlainFacts, distinct_in_footer, means_no_null, plain_in_footer, plain_in_rows
from data.ingest.records import MAX_COLUMNS
from data.ingest.schema import Mapping, mapped, required_in_source
from data.ingest.workbooks import prepared_workbook
from data.settings import SourceSettings

__all__ = ["Batch", "DeliveredFile", "batches", "delivery_key", "inspected"]

BATCH_FILES = 500  # files read in one scan
BATCH_BYTES = 201_326_592  # [bytes] of text, or of landed Parquet
DECODED_BYTES = 33_554_432  # a Parquet file up to this size is decoded to the end before DuckDB opens it
_BOMB_FLOOR_BYTES = 268_435_456  # [bytes] smaller contents harm nobody
PART_ROWS = 2_000_000  # rows of a Parquet file cast at a time, where they have to be written down before they load
NORMALISED_COLUMNS = ("sku", "component_sku", "replaces_sku")  # other spellings of one code are one code


@dataclass(frozen=True)
class DeliveredFile:
    """One landed file, inspected: enough to read it, and to name its rows."""

    delivery_id: int
    sighting: Sighting
    spec: SourceSettings
    table: Table
    path: Path
    header: tuple[str, ...]
    records: int
    mapping: Mapping
    text: Delimited | None = None
    types: tuple[str, ...] = ()
    plain: PlainFacts = field(default_factory=dict)  # see data.ingest.plain_columns
    distinct: tuple[str, ...] = ()  # plain columns in which no word comes twice

    @property
    def good(self) -> int:
        """Records whose values are read."""
        return self.records if self.text is None else self.text.scan.good

    @property
    def shape(self) -> tuple[object, ...]:
        """Files of one shape are read together."""
        text = (self.text.delimiter, self.text.is_gzip, self.text.stretches[0].has_header) if self.text else ()
        alone = self.delivery_id if self.parts > 1 else 0
        return (self.sighting.source, self.header, self.types, text, alone)

    @property
    def parts(self) -> int:
        """In so many parts the file is read, to keep memory flat; rows that stream through need no parts."""
        if self.text is not None:
            return len(self.text.stretches)
        codes = [self.mapping.taken[c] for c in NORMALISED_COLUMNS if c in self.mapping.taken]
        return 1 if all(c in self.plain for c in codes) else max(1, -(-self.records // PART_ROWS))

    @property
    def size(self) -> int:
        """Bytes that are read."""
        return self.sighting.size if self.text is None else self.text.scan.size


@dataclass(frozen=True)
class Batch:
    """Files of one source and shape, read together; or one part of a large file."""

    files: tuple[DeliveredFile, ...]
    part: int = 0

    @property
    def parts(self) -> list[Batch]:
        """The batch in parts that are read one after another."""
        return [replace(self, part=n) for n in range(self.first.parts)]

    @property
    def is_whole(self) -> bool:
        """True where there is but one part."""
        return self.first.parts == 1

    def good(self, file: DeliveredFile) -> int:
        """Records of ``file`` whose values this part reads."""
        if file.text is not None:
            return file.text.stretches[self.part].good
        return min(file.records - self.first_row, PART_ROWS) if not self.is_whole else file.records

    @property
    def first_row(self) -> int:
        """Good records of the file before this part."""
        if self.first.text is not None:
            return sum(s.good for s in self.first.text.stretches[: self.part])
        return self.part * PART_ROWS

    def is_plain(self, column: str) -> bool:
        """Return whether the texts of a contract's column can be loaded as they are, in all files."""
        source = self.first.mapping.taken[column]
        meant = self.first.spec.null_values
        return all(source in f.plain and means_no_null(f.plain[source][1], meant) for f in self.files)

    def lacks(self, column: str) -> bool:
        """Return whether a contract's column may be null in some row; it is known of plain columns."""
        source = self.first.mapping.taken[column]
        return not (self.is_plain(column) and all(f.plain[source][0] == 0 for f in self.files))

    def never_repeats(self, column: str) -> bool:
        """Return whether all values of a contract's column are known to be different within each file."""
        source = self.first.mapping.taken[column]
        is_as_it_came = column not in self.first.spec.aliases and not self.lacks(column)
        return is_as_it_came and all(source in f.distinct for f in self.files)

    @property
    def first(self) -> DeliveredFile:
        """Any file of the batch: they share table, source, header and types."""
        return self.files[0]


def inspected(
    sighting: Sighting,
    *,
    delivery_id: int,
    path: Path,
    table: Table,
    spec: SourceSettings,
    work: Path,
    before: tuple[str, ...] | None,
) -> DeliveredFile:
    """Return a landed file with its header, record count and column mapping.

    Args:
        sighting: what the ledger says, or will say, of it.
        delivery_id: number of the delivery.
        path: where it landed.
        table: the input contract.
        spec: settings of the source.
        work: private folder for clean copies.
        before: header of the source's delivery before this one.

    Raises:
        DeliveryRefused: for every fault that concerns the whole file.
    """
    name, source = sighting.file_name, sighting.source
    form = file_format(path, name=name, source=source, declared=spec.format)
    if form is FileFormat.PARQUET:
        is_ours = sighting.kept != sighting.sha256
        header, types, records, plain, distinct = _parquet_shape(path, is_ours=is_ours, name=name, source=source)
        mapping = mapped(table, header, spec=spec, before=before, source=source, file=name)
        facts = (types, plain, distinct)
        return DeliveredFile(delivery_id, sighting, spec, table, path, header, records, mapping, None, *facts)
    wanted = frozenset(required_in_source(table, spec).values())
    if form is FileFormat.XLSX:
        text = prepared_workbook(path, name=name, source=source, spec=spec, work=work)
    elif form in (FileFormat.JSON_LINES, FileFormat.JSON_LINES_GZIP):
        text = prepared_json_lines(path, form, name=name, source=source, spec=spec, work=work, wanted=wanted)
    else:
        text = prepared(path, form, name=name, source=source, spec=spec, work=work, wanted=wanted)
    mapping = mapped(table, text.header, spec=spec, before=before, source=source, file=name)
    return DeliveredFile(delivery_id, sighting, spec, table, path, text.header, text.scan.records, mapping, text)


def _parquet_shape(
    path: Path, *, is_ours: bool, name: str, source: str
) -> tuple[tuple[str, ...], tuple[str, ...], int, PlainFacts, tuple[str, ...]]:
    """Return column names, their types, the rows as the footer states them, the plain and the distinct columns.

    A file that the ingest did not write itself (``is_ours``), or a small one, is decoded to its end.
    """
    try:
        with pq.ParquetFile(path) as file:
            footer = file.metadata
            schema = footer.schema.to_arrow_schema()
            _refuse_bomb(footer, len(schema.names), path.stat().st_size, name=name, source=source)
        is_small = path.stat().st_size <= DECODED_BYTES
        plain = {} if is_ours and not is_small else plain_in_rows(path, only_text=not is_small)
        if is_ours:
            plain = plain_in_footer(footer.metadata)
        distinct = distinct_in_footer(footer.metadata) if is_ours else ()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DeliveryRefused(
            Fault.FORMAT, f"not a readable Parquet file: {error}", source=source, file=name
        ) from error
    return tuple(schema.names), tuple(str(t) for t in schema.types), footer.num_rows, plain, distinct


def _refuse_bomb(footer: pq.FileMetaData, columns: int, size: int, *, name: str, source: str) -> None:
    if columns > MAX_COLUMNS:
        raise DeliveryRefused(
            Fault.LIMIT, f"{columns:,} columns; at most {MAX_COLUMNS:,} are read", source=source, file=name
        )
    unpacked = sum(footer.row_group(i).total_byte_size for i in range(footer.num_row_groups))
    if unpacked > _BOMB_FLOOR_BYTES and unpacked > MAX_EXPANSION * size:
        raise DeliveryRefused(
            Fault.DECOMPRESSION_LIMIT, f"{size:,} bytes unpack to {unpacked:,}", source=source, file=name
        )


def batches(files: Sequence[DeliveredFile]) -> list[Batch]:
    """Group files by shape, keeping their order, within bounds that keep memory flat."""
    groups: dict[tuple[object, ...], list[DeliveredFile]] = {}
    for file in files:
        groups.setdefault(file.shape, []).append(file)
    found: list[Batch] = []
    for group in groups.values():
        current: list[DeliveredFile] = []
        size = 0
        for file in group:
            if current and (len(current) == BATCH_FILES or size + file.size > BATCH_BYTES):
                found.append(Batch(tuple(current)))
                current, size = [], 0
            current.append(file)
            size += file.size
        found.append(Batch(tuple(current)))
    return found


def delivery_key(table: Table) -> tuple[str, ...]:
    """Return the columns that identify a row within one delivery of ``table``."""
    key = list(table.key)
    if table.mode is Mode.SNAPSHOT and "as_of_date" in table.names and "as_of_date" not in key:
        key.append("as_of_date")
    if table.known_at is not None:
        key.append(table.known_at)
    return tuple(key)
