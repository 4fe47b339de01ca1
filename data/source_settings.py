"""Settings of one source and of one connection, each key with its unit and bounds."""

from __future__ import annotations

from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["ConnectionSettings", "Frozen", "SourceSettings", "known_timezone"]


class Frozen(BaseModel):
    """Settings never change within a run, and a typo never passes silently."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def known_timezone(value: str) -> str:
    """Return an IANA timezone's name. Raises ``ValueError`` where there is none of that name."""
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{value!r} is no IANA timezone; write one such as Asia/Shanghai") from error
    return value


class SourceSettings(Frozen):
    """One named source of one input table: where it is, in which shape, how its columns are called there."""

    name: str | None = Field(
        default=None, description="Name of the source; default: the table, or table_2, table_3 ..."
    )
    kind: Literal["file", "sql", "http"] = Field(default="file", description="file, sql or http.")
    path: str | None = Field(
        default=None, description="file: glob, relative to the home; http: path below the connection."
    )
    format: Literal["csv", "parquet", "xlsx", "jsonl"] | None = Field(
        default=None, description="Default: from the file's name."
    )
    sheet: str | None = Field(default=None, description="xlsx: name of the sheet; default: the first.")
    header_row: int = Field(default=1, ge=1, le=1000, description="xlsx: row of the column names, counted from 1.")
    timezone: str | None = Field(default=None, description="IANA timezone of naive timestamps.")
    encoding: str = Field(default="utf-8", description="Encoding of text files.")
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="Field delimiter.")
    quote: str = Field(default='"', min_length=1, max_length=1, description="Quote character.")
    decimal: Literal[".", ","] = Field(default=".", description="Decimal mark of numbers.")
    thousands: Literal["", ",", ".", " ", "'"] = Field(default="", description="Thousands separator of numbers.")
    locale: Literal["en", "de", "fr", "ch"] | None = Field(
        default=None, description="Sets decimal and thousands: en 1,234.5 de 1.234,5 fr 1 234,5 ch 1'234.5."
    )
    currency: str | None = Field(
        default=None, pattern="^[A-Z]{3}$", description="ISO 4217 code of the source's money; default: the shop's."
    )
    units: dict[str, float] = Field(
        default={}, description="Contract column -> what its values are multiplied by, such as 0.01 for cents."
    )
    aliases: dict[str, dict[str, str]] = Field(
        default={}, description="Contract column -> value as delivered -> value as it is loaded."
    )
    date_format: str | None = Field(default=None, description="strptime format of dates; default: ISO 8601.")
    columns: dict[str, str] = Field(default={}, description="Contract column -> column in the source.")
    defaults: dict[str, str | int | float | bool] = Field(default={}, description="Values of columns the source lacks.")
    null_values: tuple[str, ...] = Field(
        default=("", "NULL", "null", "-", "N/A", "n/a", "#N/A", "NA", "NaT", "None"),
        description="Text that means null.",
    )
    not_products: tuple[str, ...] = Field(default=(), description="Codes (globs) that are not products.")
    delay_days: int = Field(default=0, ge=0, le=365, description="Rows are known so many days after their date [days].")
    max_quarantine_share: float = Field(
        default=0.01, ge=0, le=1, description="More of a delivery stops the step (0-1)."
    )
    connection: str | None = Field(default=None, description="sql, http: name under connections.")
    query: str | None = Field(default=None, description="sql: query; :run_date and :watermark are bound, never pasted.")
    watermark: str | None = Field(
        default=None, description="sql, http: column or field whose largest value is where the next run goes on."
    )
    watermark_start: str = Field(default="1970-01-01T00:00:00+00:00", description="Watermark of the first run.")
    late_days: float = Field(
        default=0, ge=0, le=3650, description="Rows may come late: the next run looks back so far [days]."
    )
    params: dict[str, str | int | float | bool] = Field(
        default={}, description="http: query parameters; :run_date and :watermark in a value are filled in."
    )
    records: str | None = Field(
        default=None, description="http: path of the list of records in the answer, dotted; default: found by itself."
    )
    pagination: Literal["none", "page", "cursor", "link"] | None = Field(
        default=None,
        description="http: how further pages are asked for; default: cursor where cursor is set, else none.",
    )
    cursor: str | None = Field(default=None, description="http: field that holds the next cursor, or the next link.")
    cursor_param: str = Field(default="cursor", description="http: query parameter that takes the cursor.")
    page_param: str = Field(default="page", description="http: query parameter that takes the number of the page.")
    first_page: int = Field(default=1, ge=0, le=1, description="http: number of the first page.")
    page_size: int | None = Field(default=None, ge=1, le=100_000, description="http: records asked for [records/page].")
    page_size_param: str = Field(default="page_size", description="http: query parameter that takes page_size.")
    max_pages: int = Field(default=10_000, ge=1, description="http: more pages are a loop [pages].")
    retries: int = Field(default=4, ge=0, le=20, description="sql, http: tries after the first [tries].")
    timeout_seconds: float = Field(default=30, gt=0, le=3600, description="sql, http: silence that ends a try [s].")
    deadline_seconds: float = Field(
        default=600, gt=0, le=86_400, description="sql, http: all tries together take no longer [s]."
    )

    @model_validator(mode="before")
    @classmethod
    def _marks_of_locale(cls, value: Any) -> Any:
        """A locale stands for its marks; what is written beside it wins."""
        marks = {"en": (".", ","), "de": (",", "."), "fr": (",", " "), "ch": (".", "'")}
        if isinstance(value, dict) and value.get("locale") in marks:
            decimal, thousands = marks[value["locale"]]
            return {"decimal": decimal, "thousands": thousands, **value}
        return value

    @model_validator(mode="after")
    def _complete(self) -> SourceSettings:
        if self.kind == "file" and not self.path:
            raise ValueError("a source of kind file needs a path")
        if self.kind == "sql" and not (self.connection and self.query):
            raise ValueError("a source of kind sql needs a connection and a query")
        if self.kind == "http" and not (self.connection and self.path):
            raise ValueError("a source of kind http needs a connection and a path")
        if self.pagination == "cursor" and not self.cursor:
            raise ValueError("pagination: cursor needs `cursor`, the field that holds the next one")
        if not all(0 < abs(f) < 1e9 for f in self.units.values()):
            raise ValueError("units are finite factors other than 0")
        if self.timezone is not None:
            known_timezone(self.timezone)
        return self


class ConnectionSettings(Frozen):
    """Where the secret of a connection is found; never the secret itself."""

    env: str | None = Field(
        default=None, description="Environment variable that holds the URL, user and password or token in it."
    )
    airflow: str | None = Field(default=None, description="Airflow connection id.")

    @model_validator(mode="after")
    def _one(self) -> ConnectionSettings:
        if (self.env is None) == (self.airflow is None):
            raise ValueError("give exactly one of env and airflow")
        return self
