"""The planner's own files of the demo home: ``merchcast.yml``, ``overrides.csv``, ``holds.csv``."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl

from data.demo.catalogue import LOCATIONS
from data.demo.files import Dialect, csv_bytes, write_bytes
from data.demo.world import World

__all__ = ["write_home_files"]

_TABLES: tuple[tuple[str, str], ...] = (
    ("products", "What the shop sells; a snapshot each time it changes (the date is in the file's name)."),
    ("locations", "The web shop's warehouse and two shops."),
    ("suppliers", "Who delivers; minimum order value, capacity, freight."),
    ("supply_terms", "Lead times, minimum order quantities, packs."),
    ("supplier_calendar", "Factory holidays, next year's included."),
    ("lanes", "Between which locations stock can be moved."),
    ("bom", "Fabric, blanks and packaging."),
    ("returns", "What came back by post, with the buyer's reason."),
    ("stock", "Stock at the close of each day."),
    ("purchase_orders", "Open orders, once a week."),
    ("receipts", "What arrived: real lead times come from here."),
    ("proposal_decisions", "What planners said to earlier proposals."),
    ("preorder_campaigns", "Preorder campaigns."),
    ("campaign_events", "How campaigns moved from state to state."),
    ("batch_tiers", "What a batch costs by size."),
    ("preorders", "Who booked how much (the buyer becomes a keyed hash on arrival)."),
    ("prices", "Regular prices from the day on which they changed."),
    ("planned_prices", "Prices already decided for the next weeks."),
    ("signals", "Searches, mentions, likes and saves by design element and region."),
    ("element_aliases", "What others call our IPs and characters."),
    ("site_traffic", "Views and carts of the own web shop."),
    ("competitor_prices", "Prices of two competitors."),
    ("events", "Festivals, holidays, conventions, premieres; announced ones too."),
    ("weather", "Weather by region; after the run date: the forecast."),
    ("fx_rates", "Exchange rates."),
)

_HEAD = """\
# merchcast.yml of the demo shop: where data comes from and how to plan.
# Every key is checked; `merchcast schema config` prints what else may stand here.
# The shop is invented; what is planted in its data lies in truth/, which no run reads.

shop:
  name: 次元小铺                # shown in the reports
  timezone: Asia/Shanghai       # business dates are days in it
  currency: CNY
  language: zh                  # language of the reports: zh | en (the other one is written beside it)
  reference_days: 7             # the reference price is the lowest one charged in so many days
  closed_days: []               # weekdays (SUN) or dates without trade; this shop never closes

planning:
  freq: D                       # plan by days
  order_weekdays: [SUN]         # orders go out on Sundays
  horizon_days: auto            # as far as the longest lead time asks for
  unmet_demand: lost_sales      # who finds nothing buys elsewhere
  objective: {{service_level: 0.95}}
  budget: null                  # spend limit of a run in CNY; null: none
  expedite_points: 10           # off order dates, expedite what waiting would put at risk by more than this
  default_supply: {{lead_time_days: 14, lead_time_sd_days: 0, min_order_qty: 1, pack_size: 1}}
  default_run_date: {run_date}  # the last day of the demo's data: `merchcast run` plans for it

demand:
  exclude_suspicious: true      # fake orders stay in the ledger and out of demand
  expected_returns: true        # what will come back and can be sold again counts as supply

sources:
  # Sales: the past as monthly Parquet (instants in UTC), the last weeks as daily exports in local time.
  order_lines:
    - {{name: order_lines_history, kind: file, path: drop/order_lines/*.parquet}}
    - {{name: order_lines_daily, kind: file, path: drop/order_lines/*.csv.gz, timezone: Asia/Shanghai}}
"""

_TAIL = """\

publish:
  keep_runs: 90                 # older published runs are removed
"""
_NEEDS_TIMEZONE = {"returns", "preorder_campaigns", "campaign_events", "preorders"}


def write_home_files(home: Path, world: World) -> list[str]:
    """Write the files beside ``drop/`` and return their names."""
    (home / "merchcast.yml").write_text(_settings_text(world), encoding="utf-8", newline="\n")
    overrides = _overrides(world)
    _write_csv(home / "overrides.csv", overrides)
    _write_csv(home / "holds.csv", _holds(world))
    return ["merchcast.yml", "overrides.csv", "holds.csv"]


def _settings_text(world: World) -> str:
    """Return ``merchcast.yml``."""
    lines = [_HEAD.format(run_date=world.config.run_date.isoformat())]
    for table, meaning in _TABLES:
        zone = ", timezone: Asia/Shanghai" if table in _NEEDS_TIMEZONE else ""
        lines.append(f"  # {meaning}\n  {table}: {{kind: file, path: drop/{table}/*{zone}}}\n")
    return "".join([*lines, _TAIL])


def _write_csv(path: Path, frame: pl.DataFrame) -> None:
    text = frame.with_columns(pl.all().cast(pl.String)).fill_null("")
    write_bytes(path, csv_bytes(text.columns, [list(r) for r in text.rows()], Dialect()))


def _best_sellers(world: World, count: int, location: str | None = None) -> list[str]:
    """Return the SKUs that sold most in the last four weeks, anywhere or at one location, and stay on sale."""
    shop = world.shop
    sold = world.stock.sold[:, -28:].sum(axis=1)
    if location is not None:
        sold = sold * (shop.series["location"].to_numpy() == [name for name, *_ in LOCATIONS].index(location))
    stays = shop.by_series("end_day") > world.config.n_days + 90
    frame = pl.DataFrame(
        {"sku": shop.skus["sku"].to_numpy()[shop.series["sku_index"].to_numpy()], "sold": sold * stays}
    )
    total = frame.group_by("sku").agg(pl.col("sold").sum()).sort(["sold", "sku"], descending=[True, False])
    return total["sku"].head(count).to_list()


def _overrides(world: World) -> pl.DataFrame:
    """Return ``overrides.csv``: what planners know that the data do not."""
    sku, day = _best_sellers(world, 10), world.config.run_date
    rows = [
        ("forecast", sku[5], None, day + timedelta(1), day + timedelta(14), "multiply", 1.3,
         "Creator collaboration goes live on 5 July", "planner", day + timedelta(30)),
        ("forecast", sku[6], "web", day + timedelta(1), day + timedelta(7), "add", 5,
         "Bundle promised to a fan club", "planner", day + timedelta(30)),
        ("order", _best_sellers(world, 1, "shop_north")[0], "shop_north", None, None, "set", 0,
         "Shop is being rebuilt, no room for stock", "shop_manager", day + timedelta(21)),
        ("price", sku[8], None, day + timedelta(1), day + timedelta(30), "multiply", 0.95,
         "Agreed with the licensor for the anniversary", "merchandiser", day + timedelta(30)),
    ]  # fmt: skip
    names = [
        "kind",
        "sku",
        "location_id",
        "from_date",
        "to_date",
        "operation",
        "value",
        "reason",
        "role",
        "expires_date",
    ]
    return pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None, strict=False)


def _holds(world: World) -> pl.DataFrame:
    """Return ``holds.csv``: what nobody may order for now."""
    day = world.config.run_date
    rows = [
        ("sku", _best_sellers(world, 10)[9], "Print error under inspection", day + timedelta(14)),
        ("supplier", "SUP-QUICK", "Contract not signed yet", day + timedelta(60)),
    ]
    return pl.DataFrame(rows, schema=["scope", "id", "reason", "expires_date"], orient="row")
