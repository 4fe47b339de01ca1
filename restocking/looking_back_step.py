"""What the night looks back on: how size groups were served, and what overrides of orders gained or lost."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd

from data.step_io import StepIO
from restocking.config import RestockConfig
from restocking.override_value import by_role_and_reason, order_override_value
from restocking.season_hedges import hedge_plans
from restocking.size_audit import size_audit, size_gaps

__all__ = ["write_audits"]

_OVERRIDE_RUNS = 60  # earlier runs whose overrides are judged
_REASONS_SHOWN = 10
_SMALLEST_SHARE = 0.25  # of a period in stock; below it sales say too little of demand
_PLAN_COLUMNS = (
    "sku",
    "location_id",
    "order_qty",
    "override_qty",
    "override_reason",
    "why_override",
    "inventory_position",
    "lead_time_days",
    "review_period_days",
    "expected_receipt_date",
)


def write_audits(io: StepIO, config: RestockConfig) -> None:
    """Write ``size_audit``, ``override_value`` and ``hedge_plan``; report size groups that are served worse."""
    seed = io.settings.planning.seed
    items = _audited(io, config)
    io.write("size_audit", size_audit(items, seed=seed))
    gaps = size_gaps(items, seed=seed)
    worse = [f"{g.size_group}: {g.difference:+.1%} ({g.low:+.1%} to {g.high:+.1%})" for g in gaps if g.is_worse]
    io.check(
        "size_groups_served_alike",
        failed=len(worse),
        rows=len(gaps),
        table="size_audit",
        severity="warn",
        sample=worse,
        observed=" · ".join(worse),
        expected="no size group out of stock more often than standard sizes",
        advice="See size_audit: order more of these sizes, or find out why their stock-outs are not planned for.",
    )
    values = _override_values(io, config)
    io.write("override_value", values)
    _say_what_overrides_did(io, values)
    io.write("hedge_plan", hedge_plans(_styles(io, config), config.hedges, run_date=io.run_date, seed=seed))


def _audited(io: StepIO, config: RestockConfig) -> pd.DataFrame:
    """Return the sums of the audited periods by SKU and location; periods whose stock is unknown are left out."""
    sizes = io.read("stg_products", columns=["sku", "size_group"]).dropna(subset="size_group")
    names = ["periods", "out", "sold", "demand", "wape"]
    if sizes.empty:
        return pd.DataFrame(columns=["size_group", *names]).astype(dict.fromkeys(names, "float64"))
    since = io.run_date - timedelta(days=config.audit_days)
    real = f"units / greatest(in_stock_share, {_SMALLEST_SHARE})"
    sums = io.query(
        "select sku, location_id, count(*) as periods, sum((1 - in_stock_share)::decimal(18, 6))::double as out, "
        f"sum(units::decimal(18, 4))::double as sold, sum(({real})::decimal(18, 4))::double as demand "
        "from demand_history where ds > $1 and in_stock_share is not null group by all order by all",
        [since],
    )
    errors = io.read("series_accuracy", columns=["sku", "location_id", "wape"])
    items = sums.merge(sizes, on="sku").merge(errors, on=["sku", "location_id"], how="left")
    return items.assign(**{name: items[name].astype("float64") for name in names})


def _override_values(io: StepIO, config: RestockConfig) -> pd.DataFrame:
    earlier = io.previous("restock_plan", runs=_OVERRIDE_RUNS, columns=list(_PLAN_COLUMNS))
    rate = config.annual_holding_rate
    if io.settings.planning.objective.margin is not None:
        rate = io.settings.planning.objective.margin.annual_holding_rate
    if earlier is None:
        earlier = pd.DataFrame(columns=["run_date", *_PLAN_COLUMNS])
    typed = earlier.loc[earlier["override_qty"].notna()]
    judged = _judged(io, typed) if len(typed) else _nothing()
    return order_override_value(judged, annual_holding_rate=rate)


def _nothing() -> pd.DataFrame:
    texts = dict.fromkeys(("sku", "location_id", "role", "reason"), pd.Series(dtype=object))
    names = ("machine_qty", "override_qty", "available", "demand", "margin", "unit_cost", "days")
    return pd.DataFrame(
        texts | dict.fromkeys(names, pd.Series(dtype="float64")) | {"run_date": pd.Series(dtype="datetime64[ns]")}
    )


def _judged(io: StepIO, typed: pd.DataFrame) -> pd.DataFrame:
    """Return the overridden orders whose days are over, with the demand that came before and on these days."""
    review = pd.to_timedelta(typed["review_period_days"].astype("float64"), unit="D")
    orders = typed.assign(
        run_date=pd.to_datetime(typed["run_date"]),
        end=pd.to_datetime(typed["expected_receipt_date"]) + review,
        start=pd.to_datetime(typed["expected_receipt_date"]),
    )
    orders = orders.loc[orders["end"] <= pd.Timestamp(io.run_date) + pd.Timedelta(days=1)].reset_index(drop=True)
    if orders.empty:
        return _nothing()
    first = orders["run_date"].min().date()
    keys = ["sku", "location_id"]
    demand = io.query("select sku, location_id, ds, units from demand_history where ds > $1 order by all", [first])
    each = orders[[*keys, "run_date", "start", "end"]].reset_index().merge(demand, on=keys)
    before = each.loc[(each["ds"] > each["run_date"]) & (each["ds"] < each["start"])]
    during = each.loc[(each["ds"] >= each["start"]) & (each["ds"] < each["end"])]
    sums = [part.groupby("index")["units"].sum().reindex(orders.index).fillna(0.0) for part in (before, during)]
    prices = io.read("assortment", columns=[*keys, "regular_price", "unit_cost"])
    known = orders.merge(prices, on=keys, how="left")
    roles = io.read("overrides", columns=["sku", "reason", "role"]).drop_duplicates(["sku", "reason"])
    known = known.merge(roles.rename(columns={"reason": "override_reason"}), on=["sku", "override_reason"], how="left")
    return known.assign(
        reason=known["override_reason"],
        machine_qty=known["order_qty"].astype("float64") - known["why_override"].astype("float64"),
        override_qty=known["override_qty"].astype("float64"),
        available=(known["inventory_position"] - sums[0].to_numpy()).clip(lower=0.0),
        demand=sums[1].to_numpy(),
        margin=known["regular_price"] - known["unit_cost"],
        days=known["review_period_days"].astype("float64"),
    )


def _say_what_overrides_did(io: StepIO, values: pd.DataFrame) -> None:
    """Report what overrides gained or lost, by role and reason: those that moved most money."""
    sums = by_role_and_reason(values)
    largest = sums.assign(size=sums["money_gained"].abs()).sort_values("size", ascending=False).head(_REASONS_SHOWN)
    for number, row in enumerate(largest.to_dict("records"), start=1):
        io.check(
            f"override_value_{number:02d}",
            failed=0,
            rows=int(row["overrides"]),
            table="override_value",
            severity="warn",
            observed=f"{row['role'] or '-'}: {row['helped']} of {row['overrides']} helped, "
            f"{row['money_gained']:,.2f} gained: {row['reason']}",
        )


def _styles(io: StepIO, config: RestockConfig) -> pd.DataFrame:
    """Return demand and money by style; empty where no season is hedged."""
    columns = ["style_id", "category", "daily_units", "price", "unit_cost", "salvage"]
    if not config.hedges:
        return pd.DataFrame(columns=columns)
    days = io.calendar.period_days
    return io.query(
        "with f as (select sku, location_id, avg(mean) / $1 as daily from forecasts group by all) "
        "select a.style_id, min(a.category) as category, sum(f.daily::decimal(18, 6))::double as daily_units, "
        "median(a.regular_price)::double as price, median(a.unit_cost)::double as unit_cost, "
        "median(p.salvage_value)::double as salvage from assortment a join f using (sku, location_id) "
        "left join stg_products p using (sku) where a.style_id is not null group by a.style_id order by a.style_id",
        [days],
    )
