"""Which table goes into which drop files: Parquet for the deep past, dirty CSV for the last weeks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl

from data.demo import market_tables, sales_tables, signals, supply_tables, weather
from data.demo.dirt import LedgerRow, add_dirt
from data.demo.files import Dialect, csv_bytes, text_rows, write_bytes, write_parquet
from data.demo.streams import stream
from data.demo.world import World

__all__ = ["Drop", "write_drop"]

SNAPSHOT_AGES = (28, 14, 7, 0)  # days before D of the snapshots of what changes [days]
_LATE_BEFORE, _LATE_BY = 20, 3  # one shop's lines of one evening came three days later [days]
_COPY_BEFORE = 8  # one daily file was delivered twice, under two names [days before D]
_STOCK_CSV_DAYS, _SIGNAL_CSV_WEEKS, _TRAFFIC_CSV_DAYS = 7, 4, 7
_PHONE_TITLE = "{} 客服电话 13812345678"
_HOSTILE_TITLES = (
    '=HYPERLINK("http://evil.example/x","点我")',
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "‮דמו‬ 限定 🎀 ver.",
)


@dataclass
class Drop:
    """The drop folder being written: where, what is in it, and what is wrong with it."""

    home: Path
    world: World
    ledger: list[LedgerRow] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)

    def parquet(self, table: str, name: str, frame: pl.DataFrame) -> None:
        """Write one Parquet file of a table."""
        if len(frame):
            self._count(table, name, len(frame))
            write_parquet(self.home / self.files[-1], frame)

    def parquet_by_month(self, table: str, frame: pl.DataFrame) -> None:
        """Write the rows (with ``day``) in one Parquet file a month."""
        month = (pl.lit(self.world.config.start_date) + pl.duration(days=pl.col("day"))).dt.strftime("%Y-%m")
        for part in frame.with_columns(_month=month).partition_by("_month", maintain_order=True):
            self.parquet(table, f"{table}_{part['_month'][0]}.parquet", part.drop("_month", "day"))

    def csv(
        self,
        table: str,
        name: str,
        frame: pl.DataFrame,
        *,
        number: int | None = None,
        dialect: Dialect | None = None,
        is_utc: bool = False,
    ) -> None:
        """Write one CSV file of a table; with dirt where ``number`` is given."""
        header, rows = text_rows(frame, is_utc=is_utc)
        self.text(table, name, header, rows, number=number, dialect=dialect or Dialect())

    def text(
        self, table: str, name: str, header: list[str], rows: list[list[str]], *, number: int | None, dialect: Dialect
    ) -> None:
        """Write text rows as one CSV file of a table."""
        if dialect.is_reversed:
            header, rows = header[::-1], [row[::-1] for row in rows]
        if dialect.extra_column is not None:
            header, rows = [*header, dialect.extra_column], [[*row, "feed"] for row in rows]
        path = f"drop/{table}/{name}"
        if number is not None and rows:
            rng = stream(self.world.config.seed, f"dirt/{name}")
            rows, ledger = add_dirt(table, path, header, rows, number=number, rng=rng)
            self.ledger += ledger
        self._dialect_ledger(table, path, dialect)
        self._count(table, name, len(rows))
        write_bytes(self.home / path, csv_bytes(header, rows, dialect))

    def note(self, table: str, name: str, fault: int, kind: str, outcome: str, reason: str | None, n_rows: int) -> None:
        """Write down something that concerns a whole file."""
        self.ledger.append(LedgerRow(table, f"drop/{table}/{name}", None, fault, kind, None, outcome, reason, n_rows))

    def _dialect_ledger(self, table: str, path: str, dialect: Dialect) -> None:
        for is_so, fault, kind, outcome in (
            (dialect.has_bom, 7, "byte_order_mark", "N"),
            (dialect.line_end != "LF", 17, f"line_end_{dialect.line_end.lower()}", "N"),
            (dialect.is_reversed, 41, "columns_reordered", "N"),
            (dialect.extra_column is not None, 42, "new_column", "D"),
        ):
            if is_so:
                self.ledger.append(LedgerRow(table, path, None, fault, kind, None, outcome, None, 0))

    def _count(self, table: str, name: str, rows: int) -> None:
        self.files.append(f"drop/{table}/{name}")
        self.rows[table] = self.rows.get(table, 0) + rows

    def day_name(self, day: int) -> str:
        """Return the ISO date of a day number."""
        return (self.world.config.start_date + timedelta(days=day)).isoformat()


def write_drop(home: Path, world: World) -> Drop:
    """Write every input table into ``home/drop`` and return what was written."""
    drop = Drop(home, world)
    _sales(drop)
    _preorders(drop)
    _supply(drop)
    _stock(drop)
    _prices(drop)
    _outside(drop)
    return drop


def _sales(drop: Drop) -> None:
    """Write order lines and returns: monthly Parquet, then daily and weekly csv.gz."""
    world = drop.world
    lines = sales_tables.order_lines(world)
    returns = sales_tables.returns_table(world, lines)
    first = world.config.n_days - world.config.csv_days
    drop.parquet_by_month("order_lines", lines.filter(pl.col("day") < first).drop("series"))
    recent = lines.filter(pl.col("day") >= first)
    late_day = world.config.n_days - 1 - _LATE_BEFORE
    is_late = (
        (pl.col("day") == late_day)
        & (pl.col("location_id") == "shop_south")
        & (pl.col("ordered_at").dt.convert_time_zone("Asia/Shanghai").dt.hour() >= 14)
    )
    recent = recent.with_columns(file_day=pl.when(is_late).then(late_day + _LATE_BY).otherwise("day"))
    late_name = f"order_lines_{drop.day_name(late_day + _LATE_BY)}.csv.gz"
    drop.note("order_lines", late_name, 50, "late_rows", "N", None, recent.filter(is_late).height)
    for number, part in enumerate(recent.partition_by("file_day", maintain_order=True)):
        name = f"order_lines_{drop.day_name(part['file_day'][0])}.csv.gz"
        drop.csv("order_lines", name, part.drop("day", "series", "file_day"), number=number, dialect=_dialect(number))
    copy = f"order_lines_{drop.day_name(world.config.n_days - 1 - _COPY_BEFORE)}.csv.gz"
    source = drop.home / "drop/order_lines" / copy
    again = copy.replace(".csv.gz", "_resent.csv.gz")
    (source.parent / again).write_bytes(source.read_bytes())
    drop.note("order_lines", again, 23, "duplicate_delivery", "N", "DUPLICATE_DELIVERY", 0)
    drop.parquet_by_month("returns", returns.filter(pl.col("day") < first))
    _weekly(drop, "returns", returns.filter(pl.col("day") >= first))


def _dialect(number: int) -> Dialect:
    """Return how a daily file looks: most are plain, some are not."""
    return Dialect(
        has_bom=number % 9 == 4,
        line_end="CRLF" if number % 7 == 3 else "mixed" if number % 23 == 11 else "LF",
        is_reversed=number % 13 == 6,
        extra_column="utm_source" if number % 29 == 17 else None,
    )


def _weekly(drop: Drop, table: str, frame: pl.DataFrame, *, is_utc: bool = False) -> None:
    """Write rows (with ``day``) in one csv.gz a week, named by the week's last day."""
    last = drop.world.config.n_days - 1
    week = last - (last - pl.col("day")) // 7 * 7
    for number, part in enumerate(frame.with_columns(_week=week).partition_by("_week", maintain_order=True)):
        name = f"{table}_week_to_{drop.day_name(part['_week'][0])}.csv.gz"
        drop.csv(table, name, part.drop("_week", "day"), number=number, is_utc=is_utc)


def _preorders(drop: Drop) -> None:
    """Write campaigns, their moves, tiers and preorders."""
    world, last = drop.world, drop.world.config.n_days - 1
    for age in SNAPSHOT_AGES:
        table = sales_tables.campaign_table(world, as_of_day=last - age)
        drop.csv("preorder_campaigns", f"preorder_campaigns_{drop.day_name(last - age)}.csv", table)
    drop.csv("campaign_events", "campaign_events.csv", sales_tables.campaign_events(world))
    drop.csv(
        "batch_tiers", f"batch_tiers_{drop.day_name(last - SNAPSHOT_AGES[0])}.csv", sales_tables.batch_tiers(world)
    )
    booked = sales_tables.known_preorders(world)
    name = f"preorders_to_{drop.day_name(last)}.csv.gz"
    for kind, fault, reason in (("above_cap", 63, "ABOVE_CAP"), ("one_second_apart", 65, None)):
        count = booked.filter(pl.col("planted") == kind).height
        drop.note("preorders", name, fault, kind, "L", reason, count)
    drop.csv("preorders", name, booked.drop("day", "planted"), number=0)


def _supply(drop: Drop) -> None:
    """Write products, suppliers, terms, calendars, lanes, bills of materials, purchase orders and receipts."""
    world, last = drop.world, drop.world.config.n_days - 1
    for age in (SNAPSHOT_AGES[0], 0):
        products = supply_tables.products_table(world, as_of_day=last - age)
        stamp = drop.day_name(last - age)
        header, rows = _with_hostile_titles(drop, products, f"products_{stamp}.csv")
        drop.text("products", f"products_{stamp}.csv", header, rows, number=age, dialect=Dialect(has_bom=True))
        drop.csv("supply_terms", f"supply_terms_{stamp}.csv", supply_tables.supply_terms(world, products))
        drop.csv("bom", f"bom_{stamp}.csv", supply_tables.bom_table(products))
    start = drop.day_name(0)
    drop.csv("locations", f"locations_{start}.csv", supply_tables.locations_table())
    drop.csv("suppliers", f"suppliers_{start}.csv", supply_tables.suppliers_table())
    drop.csv("lanes", f"lanes_{start}.csv", supply_tables.lanes_table())
    drop.csv(
        "supplier_calendar",
        "supplier_calendar.csv",
        supply_tables.supplier_calendar(world),
        dialect=Dialect(line_end="CRLF"),
    )
    drop.csv("proposal_decisions", "proposal_decisions.csv", market_tables.proposal_decisions(world))
    for age in SNAPSHOT_AGES:
        orders = supply_tables.open_orders(world, as_of_day=last - age)
        drop.csv("purchase_orders", f"purchase_orders_{drop.day_name(last - age)}.csv", orders)
    receipts = supply_tables.receipts_table(world)
    is_late = (pl.col("supplier_id") == "SUP-COSB") & (pl.col("day") > last - 90) & (pl.col("day") <= last - 30)
    drop.csv("receipts", "receipts.csv.gz", receipts.filter(~is_late).drop("day"), number=0)
    late = receipts.filter(is_late).drop("day")
    if len(late):
        drop.csv("receipts", "receipts_SUP-COSB_late.csv", late)
        drop.note("receipts", "receipts_SUP-COSB_late.csv", 50, "late_rows", "N", None, len(late))


def _with_hostile_titles(drop: Drop, products: pl.DataFrame, name: str) -> tuple[list[str], list[list[str]]]:
    """Return the products as text, some titles hostile, one with a phone number, one over two lines."""
    header, rows = text_rows(products)
    title = header.index("title")
    spots = np.linspace(0, len(rows) - 1, len(_HOSTILE_TITLES) + 2).astype(int)
    for spot, text in zip(spots, _HOSTILE_TITLES, strict=False):
        rows[spot][title] = text
    rows[spots[-2]][title] = _PHONE_TITLE.format(rows[spots[-2]][title])
    rows[spots[-1]][title] = rows[spots[-1]][title] + "\n（再版）"
    drop.note("products", name, 67, "hostile_title", "N", None, len(_HOSTILE_TITLES))
    drop.note("products", name, 66, "phone_in_title", "N", None, 1)
    drop.note("products", name, 13, "newline_in_quotes", "N", None, 1)
    return header, rows


def _stock(drop: Drop) -> None:
    """Write stock: monthly Parquet, daily csv.gz for the last week."""
    config = drop.world.config
    stock = supply_tables.stock_table(drop.world)
    first = config.n_days - _STOCK_CSV_DAYS
    drop.parquet_by_month("stock", stock.filter(pl.col("day") < first))
    for number, part in enumerate(stock.filter(pl.col("day") >= first).partition_by("day", maintain_order=True)):
        drop.csv("stock", f"stock_{drop.day_name(part['day'][0])}.csv.gz", part.drop("day"), number=number)


def _prices(drop: Drop) -> None:
    """Write prices, planned and competitors' prices, exchange rates."""
    world = drop.world
    drop.csv("prices", "prices.csv.gz", market_tables.prices_input(world).drop("day"), number=0)
    drop.csv("planned_prices", "planned_prices.csv", market_tables.planned_price_table(world))
    drop.csv("competitor_prices", "competitor_prices.csv.gz", market_tables.competitor_prices(world), number=0)
    drop.csv("fx_rates", "fx_rates.csv", market_tables.fx_rates(world))


def _outside(drop: Drop) -> None:
    """Write signals, aliases, traffic, events and weather."""
    world, config = drop.world, drop.world.config
    table = signals.signals_table(config, world.talk, world.events)
    first = config.n_days - 7 * _SIGNAL_CSV_WEEKS
    drop.parquet_by_month("signals", table.filter(pl.col("day") < first))
    _weekly(drop, "signals", table.filter(pl.col("day") >= first), is_utc=True)
    source, before, length = signals.OUTAGE
    drop.note("signals", "", 82, f"outage_{source}_{drop.day_name(config.n_days - 1 - before)}", "D", None, length)
    drop.csv("element_aliases", f"element_aliases_{drop.day_name(0)}.csv", signals.element_aliases(config))
    traffic = signals.site_traffic(config, world.shop, world.demand)
    first = config.n_days - _TRAFFIC_CSV_DAYS
    drop.parquet_by_month("site_traffic", traffic.filter(pl.col("day") < first))
    _weekly(drop, "site_traffic", traffic.filter(pl.col("day") >= first))
    drop.csv("events", "events.csv", market_tables.events_table(world))
    drop.csv("weather", "weather.csv", weather.weather_table(config), number=0, dialect=Dialect(line_end="CRLF"))
