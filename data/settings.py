"""Typed settings of a home folder: ``merchcast.yml``, every key validated, unknown keys refused with a hint."""

from __future__ import annotations

import difflib
import hashlib
import json
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from data.calendar import WEEKDAYS, Calendar, last_closed_day
from data.contracts.inputs import INPUTS
from data.errors import ConfigError
from data.source_settings import ConnectionSettings, Frozen, SourceSettings, known_timezone

__all__ = [
    "ConnectionSettings",
    "DemandSettings",
    "Margin",
    "Objective",
    "Planning",
    "Publish",
    "Settings",
    "Shop",
    "SourceSettings",
    "Supply",
    "load_settings",
]

ROOMS: tuple[str, ...] = ("trends", "forecasting", "restocking", "preorder", "pricing", "reporting")
"""Rooms whose own settings stand under their name and are validated by their own ``config.py``."""

_TABLES = tuple(t.name for t in INPUTS)
_FREQS = ("D", *(f"W-{day}" for day in WEEKDAYS))


class Shop(Frozen):
    """Who the shop is."""

    name: str = Field(default="Shop", description="Name shown in reports.")
    timezone: str = Field(default="UTC", description="IANA name; business dates are days in it.")
    currency: str = Field(default="CNY", pattern="^[A-Z]{3}$", description="ISO 4217 code of all money.")
    language: Literal["zh", "en"] = Field(default="en", description="Language of the reports.")
    reference_days: int = Field(
        default=30, ge=1, le=365, description="Reference price = lowest charged in so many [days]."
    )
    closed_days: tuple[date | str, ...] = Field(
        default=(), description="Days (dates or weekdays such as SAT) without trade."
    )
    holiday_calendar: str | None = Field(
        default=None, description="Calendar whose holidays the events table must hold."
    )

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        return known_timezone(value)

    @field_validator("closed_days")
    @classmethod
    def _dates_or_weekdays(cls, values: tuple[date | str, ...]) -> tuple[date | str, ...]:
        return tuple(v if isinstance(v, date) else _date_or_weekday(v) for v in values)


def _date_or_weekday(text: str) -> date | str:
    if text.upper() in WEEKDAYS:
        return text.upper()
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is neither a date (YYYY-MM-DD) nor one of {', '.join(WEEKDAYS)}") from error


class Margin(Frozen):
    """Order by margin: the ratio comes from price, cost and holding rate."""

    annual_holding_rate: float = Field(ge=0, le=5, description="Cost of holding stock worth 1 for a year [1/year].")


class Objective(Frozen):
    """What an order optimises: exactly one of service level, explicit costs, margin."""

    service_level: float | None = Field(default=None, gt=0, lt=1, description="P(no stock-out in a cycle) (0-1).")
    holding_cost_per_unit_per_period: float | None = Field(default=None, ge=0, description="h [currency/unit/period].")
    shortage_cost_per_unit: float | None = Field(default=None, gt=0, description="p [currency/unit].")
    margin: Margin | None = Field(default=None, description="Ratio from margin and holding rate.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Objective:
        costs = self.holding_cost_per_unit_per_period, self.shortage_cost_per_unit
        if any(c is None for c in costs) and any(c is not None for c in costs):
            raise ValueError("holding_cost_per_unit_per_period and shortage_cost_per_unit go together")
        ways = [self.service_level is not None, costs[0] is not None, self.margin is not None]
        if sum(ways) != 1:
            raise ValueError(
                "give exactly one of: service_level; margin; "
                "holding_cost_per_unit_per_period with shortage_cost_per_unit"
            )
        return self


class Supply(Frozen):
    """Supply terms of SKUs without a row in ``supply_terms``."""

    lead_time_days: float = Field(default=14, ge=0, le=3650, description="L [days].")
    lead_time_sd_days: float = Field(default=0, ge=0, le=3650, description="Spread of L [days].")
    min_order_qty: int = Field(default=1, ge=0, description="MOQ [units].")
    pack_size: int = Field(default=1, ge=1, description="Pack [units].")


class Planning(Frozen):
    """How to plan."""

    freq: str = Field(default="D", description="D, or a week W-MON ... W-SUN that starts on that weekday.")
    order_weekdays: tuple[str, ...] = Field(default=("SUN",), min_length=1, description="Business dates with orders.")
    horizon_days: int | Literal["auto"] = Field(default="auto", description="auto, or a cap [days].")
    unmet_demand: Literal["lost_sales", "backorder"] = Field(
        default="lost_sales", description="What unmet demand becomes."
    )
    objective: Objective = Field(default=Objective(service_level=0.95), description="What an order optimises.")
    budget: float | None = Field(default=None, ge=0, description="Spend limit per run [currency].")
    expedite_points: float = Field(
        default=10, ge=0, le=100, description="Rise of stock-out risk that expedites [points]."
    )
    default_supply: Supply = Field(default=Supply(), description="Terms for SKUs with no row in supply_terms.")
    default_run_date: date | None = Field(default=None, description="Run date when none is given; wins over yesterday.")
    seed: int = Field(default=2026, ge=0, description="Seed of every random draw.")

    @field_validator("freq")
    @classmethod
    def _known_freq(cls, value: str) -> str:
        if value not in _FREQS:
            raise ValueError(f"{value!r} is none of {', '.join(_FREQS)}")
        return value

    @field_validator("order_weekdays")
    @classmethod
    def _known_weekdays(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        upper = tuple(v.upper() for v in values)
        unknown = [v for v in upper if v not in WEEKDAYS]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is none of {', '.join(WEEKDAYS)}")
        return upper

    @field_validator("horizon_days")
    @classmethod
    def _positive_horizon(cls, value: int | str) -> int | str:
        if isinstance(value, int) and not 1 <= value <= 730:
            raise ValueError("horizon_days lies between 1 and 730, or is auto")
        return value


class DemandSettings(Frozen):
    """How demand is read from sales."""

    exclude_suspicious: bool = Field(default=True, description="Leave suspicious orders out of demand.")
    expected_returns: bool = Field(default=True, description="Count expected resellable returns as supply.")
    rules: dict[str, Any] = Field(default={}, description="Settings of the room, see its config.py.")


class Publish(Frozen):
    """What is kept of earlier runs."""

    keep_runs: int = Field(default=90, ge=1, description="Published runs kept [runs].")
    order_columns: dict[str, str] = Field(default={}, description="Column of supplier_orders -> its name in the ERP.")


def _one_source_or_more(schema: dict[str, Any]) -> None:
    """Let the JSON Schema of ``sources`` take what the file may hold: a source, or a list of them."""
    several = schema["additionalProperties"]
    schema["additionalProperties"] = {"anyOf": [several["items"], several]}


class Settings(Frozen):
    """All settings of a home folder."""

    shop: Shop = Shop()
    planning: Planning = Planning()
    demand: DemandSettings = DemandSettings()
    sources: dict[str, tuple[SourceSettings, ...]] = Field(
        default={}, description="Input table -> its sources.", json_schema_extra=_one_source_or_more
    )
    connections: dict[str, ConnectionSettings] = Field(default={}, description="Name -> where its secret is found.")
    publish: Publish = Publish()
    trends: dict[str, Any] = Field(default={}, description="Settings of the room, see its config.py.")
    forecasting: dict[str, Any] = Field(default={}, description="Settings of the room, see its config.py.")
    restocking: dict[str, Any] = Field(default={}, description="Settings of the room, see its config.py.")
    preorder: dict[str, Any] = Field(default={}, description="Settings of the room, see its config.py.")
    pricing: dict[str, Any] = Field(default={}, description="Settings of the room, see its config.py.")
    reporting: dict[str, Any] = Field(default={}, description="Settings of the room, see its config.py.")

    @field_validator("sources", mode="before")
    @classmethod
    def _lists_of_named_sources(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError("sources is a mapping of input table -> source, or a list of sources")
        for table in value:
            if table not in _TABLES:
                close = difflib.get_close_matches(str(table), _TABLES, 1)
                raise ValueError(f"unknown input table {table!r}" + (f"; did you mean {close[0]!r}?" if close else ""))
        return {table: _named(table, spec) for table, spec in value.items()}

    @model_validator(mode="after")
    def _connections_exist(self) -> Settings:
        for table, specs in self.sources.items():
            for spec in specs:
                if spec.connection is not None and spec.connection not in self.connections:
                    raise ValueError(f"sources.{table}: connection {spec.connection!r} is not under connections")
        return self

    @property
    def rooms(self) -> dict[str, dict[str, Any]]:
        """Each room's own settings, as written."""
        return {"demand": self.demand.rules, **{room: getattr(self, room) for room in ROOMS}}

    @property
    def zone(self) -> ZoneInfo:
        """The shop's timezone."""
        return ZoneInfo(self.shop.timezone)

    @cached_property
    def sha256(self) -> str:
        """Digest of all settings."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def run_date(self, instant: datetime) -> date:
        """Return the run date when none is given: the shop's own default, else the last closed day (or week)."""
        if self.planning.default_run_date is not None:
            return self.planning.default_run_date
        return last_closed_day(instant.astimezone(self.zone).date(), self.planning.freq)

    def calendar(self, run_date: date) -> Calendar:
        """Return the calendar of the run for ``run_date``. Raises ``ConfigError`` where D cannot be a run date."""
        try:
            return Calendar(run_date, self.planning.freq, self.planning.order_weekdays)
        except ValueError as error:
            raise ConfigError(str(error)) from error


def _named(table: str, spec: Any) -> list[Any]:
    specs = spec if isinstance(spec, list) else [spec]
    named = []
    for number, one in enumerate(specs, start=1):
        if not isinstance(one, dict):
            raise ValueError(f"sources.{table}: expected a mapping such as {{kind: file, path: ...}}")
        default = table if number == 1 else f"{table}_{number}"
        named.append({**one, "name": one.get("name") or default})
    return named


def load_settings(home: Path) -> Settings:
    """Return the settings of a home folder.

    Raises:
        ConfigError: no file, bad YAML (with line and column), an unknown key (with "did you mean") or a bad value.
    """
    path = home / "merchcast.yml"
    if not path.is_file():
        raise ConfigError(f"{path} not found. Make a home folder with `merchcast init {home}`.")
    try:
        raw = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except YAMLError as error:
        raise ConfigError(f"{path}: {error}") from error
    if raw is not None and not isinstance(raw, dict):
        raise ConfigError(f"{path}: expected a mapping at the top, found {type(raw).__name__}")
    try:
        return Settings.model_validate(json.loads(json.dumps(raw or {}, default=str)))
    except ValidationError as error:
        raise ConfigError(f"{path}: " + "; ".join(_explain(e) for e in error.errors()[:5])) from error


def _explain(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] != "extra_forbidden":
        return f"{where}: {error['msg']}"
    known = sorted(_keys_beside(error["loc"]))
    close = difflib.get_close_matches(str(error["loc"][-1]), known, 1)
    return f"{where}: unknown key" + (f"; did you mean {close[0]!r}?" if close else f"; known keys: {', '.join(known)}")


def _keys_beside(loc: tuple[Any, ...]) -> list[str]:
    """Return the keys that are allowed where the unknown key stands."""
    if loc[0] in ("sources", "connections") and len(loc) > 1:
        return list((SourceSettings if loc[0] == "sources" else ConnectionSettings).model_fields)
    model: Any = Settings
    for part in loc[:-1]:
        model = _model_of(model.model_fields[part].annotation)
    return list(model.model_fields)


def _model_of(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        found = _model_of(part)
        if found is not None:
            return found
    return None
