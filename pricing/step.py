"""The price step: elasticities and suggestions of the night, and the preview of a working copy of the rule book."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from data.step_io import StepIO, open_step
from pricing.book import book_digest, load_book
from pricing.config import PricingConfig
from pricing.errors import RuleBookError
from pricing.files_step import APPROVED, BOOK, in_force, keep, working_copy
from pricing.learning_step import learnt_elasticities
from pricing.lines import LineInputs, price_lines
from pricing.loop_step import lint_home, preview
from pricing.measured import experiment_rows
from pricing.rules import RuleBook
from pricing.suggest import priceable, suggest_prices
from pricing.switchback import USUAL_DAYS, schedule_rows, switchback_rows, with_levels

__all__ = ["lint_home", "preview", "run"]

_DEFAULT_BOOK = Path(__file__).resolve().parent / "rules" / "default.yml"
_REPLAY_WEEKS = 12  # [weeks] kept for `prices simulate`
_CAP_DAYS = 30  # [days] window of max_change_percent_per_30_days


def run(home: Path, run_date: date) -> dict[str, int]:
    """Write suggestions, elasticities and experiments for ``run_date`` and return the rows read and written.

    Prices follow the book in force: the one whose plan was approved and applied last, in the first night the working
    copy. A working copy that differs waits for `merchcast prices approve` and `apply`, and the run says so.

    Raises:
        RuleBookError: the book has errors and none was in force before.
    """
    with open_step("price", home=home, run_date=run_date) as io:
        config = PricingConfig.model_validate(io.settings.rooms.get("pricing", {}))
        text, book = _book_tonight(io)
        elasticities = learnt_elasticities(io, config)
        io.write("elasticities", elasticities if len(elasticities) else io.empty("elasticities"))
        lines = price_lines(_line_inputs(io, elasticities, config), run_date=run_date, config=config)
        lines = with_levels(lines, _prices_before(io, config), config.switchback, run_date=run_date)
        table = suggest_prices(lines, book, run_date=run_date, config=config)
        io.write("price_suggestions", table if len(table) else io.empty("price_suggestions"))
        _check(io, lines, table)
        weeks = _last_weeks(io)
        _write_experiments(io, lines, weeks, config)
    keep(home, text, lines[priceable(lines)], weeks, run_date)
    return io.counts


def _write_experiments(io: StepIO, lines: pd.DataFrame, weeks: pd.DataFrame, config: PricingConfig) -> None:
    levels = schedule_rows(lines, config.switchback, run_date=io.run_date)
    io.write("switchback_levels", levels if len(levels) else io.empty("switchback_levels"))
    measured = experiment_rows(lines[priceable(lines)], weeks, config=config)
    plan = config.switchback
    if plan is not None and plan.from_date <= io.run_date and len(lines):
        styles = lines["style_id"].where(lines["style_id"].notna(), lines["sku"]).astype(str).unique().tolist()
        rows = switchback_rows(_daily_profit(io, config), styles, run_date=io.run_date, config=config)
        measured = pd.concat([measured.astype(object), pd.DataFrame(rows).astype(object)], ignore_index=True)
    io.write("experiments", measured if len(measured) else io.empty("experiments"))


def _prices_before(io: StepIO, config: PricingConfig) -> pd.DataFrame:
    """The price in force on the day before the switchback began, of each line."""
    if config.switchback is None:
        return pd.DataFrame(columns=["sku", "location_id", "channel", "price"])
    return _prices_now(io, min(io.run_date, config.switchback.from_date - timedelta(days=1)))


def _daily_profit(io: StepIO, config: PricingConfig) -> pd.DataFrame:
    """Profit and units of each style a day, of days with stock, since the weeks before the switchback."""
    assert config.switchback is not None
    first = config.switchback.from_date - timedelta(days=USUAL_DAYS)
    return io.query(
        "select coalesce(a.style_id, h.sku) as style_id, h.ds, cast(sum(cast(h.units as decimal(18, 4))) as double) as "
        "units, cast(sum(cast((coalesce(h.unit_price, a.unit_cost) - a.unit_cost) * h.units as decimal(18, 4))) as "
        "double) as profit from demand_history h join assortment a using (sku, location_id) where h.ds >= $1 and "
        "h.ds <= $2 and a.unit_cost is not null and not h.is_censored group by all order by style_id, ds",
        [first, io.run_date],
    )


def _book_tonight(io: StepIO) -> tuple[str, RuleBook]:
    """The text and the book that tonight's prices follow: never a working copy that nobody approved."""
    currency, followed = io.settings.shop.currency, in_force(io.home)
    try:
        text = working_copy(io.home)
        if text is None:
            return _book_without_copy(io, currency)
        book = load_book(text, currency=currency, name=BOOK)
        if followed is None or book_digest(followed) == book_digest(text):
            return text, book
        io.note("UNAPPROVED_BOOK", "pricing_rules.yml differs from the book in force, which prices follow: approve and "
                "apply it with `merchcast prices`.", table="price_suggestions")  # fmt: skip
    except RuleBookError as error:
        if followed is None:
            raise
        io.check(
            "rule_book_sound",
            failed=1,
            rows=1,
            table="price_suggestions",
            severity="warn",
            observed=str(error),
            expected="a rule book without errors",
            advice="Prices follow the last book in force. Run `merchcast prices lint` and correct pricing_rules.yml.",
        )
    return followed, load_book(followed, currency=currency, name=f"{APPROVED}/{BOOK}")


def _book_without_copy(io: StepIO, currency: str) -> tuple[str, RuleBook]:
    own = _DEFAULT_BOOK.read_text(encoding="utf-8").replace("currency: CNY", f"currency: {currency}")
    text = in_force(io.home) or own
    # the same words on the first night and on its rerun, when the book that comes with merchcast is in force already
    used = "the book that comes with merchcast is used" if text == own else "prices follow the last book in force"
    io.note("NO_RULE_BOOK", f"No pricing_rules.yml: {used}.")
    return text, load_book(text, currency=currency)


def _line_inputs(io: StepIO, elasticities: pd.DataFrame, config: PricingConfig) -> LineInputs:
    day = io.run_date
    overrides, holds = io.read("overrides"), io.read("holds")
    first = pd.Timestamp(day + timedelta(days=1))
    in_force = overrides["kind"].eq("price") & (overrides["from_date"] <= first) & (overrides["to_date"] >= first)
    assortment = io.read("assortment")
    return LineInputs(
        assortment=assortment[assortment["unit_cost"].notna()],
        products=io.read("stg_products"),
        locations=io.read("stg_locations", columns=["location_id", "region"]),
        prices_now=_prices_now(io, day),
        price_window=_price_window(io, day),
        charged=_charged(io, day),
        competitors=_competitors(io, day, config),
        demand=_demand(io, day, config),
        positions=io.read("inventory_positions"),
        reorders=_reorders(io),
        guarantees=_guarantees(io),
        heat=io.read("trend_scores", columns=["element_type", "element", "region", "heat", "state"]),
        elasticities=elasticities if len(elasticities) else io.empty("elasticities"),
        planned=io.query(
            "select distinct sku, location_id from stg_planned_prices where from_date > $1 and from_date <= $2 "
            "order by sku, location_id",
            [day, day + timedelta(days=config.horizon_days)],
        ),
        overrides=overrides[in_force],
        holds=holds,
    )


_PRICED = "price > 0 and sku in (select sku from assortment where unit_cost is not null)"


def _prices_now(io: StepIO, day: date) -> pd.DataFrame:
    """The price in force at the close of D, with the day it came into force."""
    return io.query(
        "select sku, location_id, channel, cast(arg_max(price, from_date) as double) as price, "
        f"max(from_date) as from_date from stg_prices where from_date <= $1 and {_PRICED} "
        "group by sku, location_id, channel order by sku, location_id, channel",
        [day],
    )


def _price_window(io: StepIO, day: date) -> pd.DataFrame:
    """Lowest and highest price in force in the last 30 days, the one that held at their start included."""
    return io.query(
        "with spans as (select sku, location_id, channel, price, lead(from_date) over (partition by sku, location_id, "
        f"channel order by from_date) as until from stg_prices where from_date <= $1 and {_PRICED}) "
        "select sku, location_id, channel, cast(min(price) as double) as lowest, cast(max(price) as double) as highest "
        "from spans where until is null or until > $2 group by sku, location_id, channel "
        "order by sku, location_id, channel",
        [day, day - timedelta(days=_CAP_DAYS - 1)],
    )


def _charged(io: StepIO, day: date) -> pd.DataFrame:
    """Lowest price paid in the reference window, null for what was not yet on sale at its start."""
    return io.query(
        "select sku, location_id, cast(min(unit_price) filter (where ds > $2 and unit_price > 0) as double) as lowest "
        "from demand_history where ds <= $1 and sku in (select sku from assortment where unit_cost is not null) "
        "group by sku, location_id having min(ds) <= $2 order by sku, location_id",
        [day, day - timedelta(days=io.settings.shop.reference_days)],
    )


def _competitors(io: StepIO, day: date, config: PricingConfig) -> pd.DataFrame:
    return io.query(
        "select sku, competitor, cast(arg_max(price, date) as double) as price from stg_competitor_prices "
        "where date > $2 and date <= $1 and price > 0 group by sku, competitor order by sku, competitor",
        [day, day - timedelta(days=config.competitor_days)],
    )


def _demand(io: StepIO, day: date, config: PricingConfig) -> pd.DataFrame:
    """Mean demand over the horizon, the spread of its total as a ratio, and what was sold a day lately."""
    span = timedelta(days=config.horizon_days)
    mean = io.query(
        "select sku, location_id, cast(sum(cast(mean as decimal(18, 6))) as double) as mean, count(*) as periods "
        "from forecasts where ds > $1 and ds <= $2 and sku in (select sku from assortment where unit_cost is not null) "
        "group by sku, location_id order by sku, location_id",
        [day, day + span],
    )
    total = io.read("protection_demand", columns=["sku", "location_id", "mean", "q10", "q90"])
    sd = (total["q90"] - total["q10"]).clip(lower=0) / 2.5631031310892007  # of a normal, from its 10% and 90% points
    total = total.assign(cv=(sd / total["mean"].where(total["mean"] > 0)).clip(upper=5.0))[["sku", "location_id", "cv"]]
    recent = io.query(
        "select sku, location_id, cast(sum(cast(units as decimal(18, 4))) as double) / $3 as recent_daily "
        "from demand_history where ds > $2 and ds <= $1 group by sku, location_id order by sku, location_id",
        [day, day - timedelta(days=7), 7],
    )
    joined = mean.merge(total, on=["sku", "location_id"], how="left", validate="1:1")
    joined = joined.merge(recent, on=["sku", "location_id"], how="left", validate="1:1")
    covered = joined["periods"].to_numpy(dtype=float) * io.calendar.period_days
    scale = np.where(covered > 0, config.horizon_days / np.maximum(covered, 1), 0.0)  # a forecast shorter than it
    return joined.assign(mean=joined["mean"] * scale).drop(columns="periods")


def _check(io: StepIO, lines: pd.DataFrame, table: pd.DataFrame) -> None:
    missing = lines[~priceable(lines)]
    io.check(
        "price_and_cost_known",
        failed=len(missing),
        rows=len(lines),
        table="price_suggestions",
        severity="warn",
        sample=missing["sku"].head(5),
        expected="a price and a unit cost for every active SKU",
        advice="SKUs without them get no suggestion: complete products or supply_terms.",
    )
    if table.empty:
        return
    moved = table["suggested_price"] != table["current_price"]
    still = table["status"].isin(["unchanged", "conflict"])
    io.check("unchanged_means_unchanged", failed=moved & still, rows=len(table), table="price_suggestions",
             expected="no new price on an unchanged or conflict line", advice="Please report it.")  # fmt: skip
    below = (table["status"] == "auto") & (table["suggested_price"] < table["unit_cost"])
    io.check("no_automatic_price_below_cost", failed=below, rows=len(table), table="price_suggestions",
             expected="suggested_price >= unit_cost where status is auto", advice="Please report it.")  # fmt: skip
    reasonless = moved & (table["binding_rule"].isna() | table["clamp_trail"].isna())
    io.check("every_change_says_why", failed=reasonless, rows=len(table), table="price_suggestions",
             expected="a binding rule and a clamp trail on every changed line", advice="Please report it.")  # fmt: skip


def _reorders(io: StepIO) -> pd.DataFrame:
    """How long it takes until what is ordered at the next occasion can be sold."""
    supply = io.read("item_supply", columns=["sku", "lead_time_days", "review_period_days"])
    return supply.assign(reorder_days=supply["lead_time_days"] + supply["review_period_days"])[["sku", "reorder_days"]]


def _guarantees(io: StepIO) -> pd.DataFrame:
    """Units preordered and not yet shipped, and what their buyers are to pay on average."""
    ledger = io.read("preorder_ledger", columns=["campaign_id", "sku", "location_id", "firm_qty", "state"])
    open_units = ledger[ledger["state"].isin(["placed", "firm", "allocated"]) & (ledger["firm_qty"] > 0)]
    prices = io.read("stg_preorder_campaigns", columns=["campaign_id", "sku", "price"])
    prices = prices[prices["price"] > 0].drop_duplicates(["campaign_id", "sku"])
    joined = open_units.merge(prices, on=["campaign_id", "sku"], how="inner", validate="m:1")
    joined = joined.assign(units=joined["firm_qty"].astype(float), paid=joined["firm_qty"] * joined["price"])
    total = joined.groupby(["sku", "location_id"], as_index=False)[["units", "paid"]].sum()
    return total.assign(price=(total["paid"] / total["units"]).astype(float))[["sku", "location_id", "units", "price"]]


def _last_weeks(io: StepIO) -> pd.DataFrame:
    """Units, mean price and receipts of the last whole weeks before the close of D, for replays of a rule book."""
    return io.query(
        "with came as (select sku, location_id, ($1 - received_date) // 7 as weeks_ago, "
        "cast(sum(received_qty) as double) as received from stg_receipts "
        "where received_date <= $1 and received_date > $2 group by all), sold as ("
        "select sku, location_id, ($1 - ds) // 7 as weeks_ago, cast(sum(cast(units as decimal(18, 4))) as double) "
        "as units, cast(avg(cast(unit_price as decimal(18, 4))) as double) as price from demand_history "
        "where ds <= $1 and ds > $2 and sku in (select sku from assortment where unit_cost is not null) "
        "group by sku, location_id, weeks_ago) select sold.*, coalesce(came.received, 0) as received from sold "
        "left join came using (sku, location_id, weeks_ago) order by sku, location_id, weeks_ago",
        [io.run_date, io.run_date - timedelta(weeks=_REPLAY_WEEKS)],
    )
