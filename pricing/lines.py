"""One line for each SKU, location and channel with all that pricing may look at. No field is about a person."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from pricing.config import PricingConfig
from pricing.curve import carried

__all__ = ["LINE_COLUMNS", "LineInputs", "price_lines"]

MOST_DAYS_OF_COVER = 3_650.0  # [days] ten years stand for "never sells"
_DAYS_A_WEEK = 7

PRODUCT_FIELDS = (
    "title",
    "style_id",
    "category",
    "ip",
    "character",
    "product_type",
    "size",
    "size_group",
    "colour",
    "material",
    "supplier_id",
)
LINE_COLUMNS = (
    "sku",
    "location_id",
    "channel",
    *PRODUCT_FIELDS,
    "demand_class",
    "trend_state",
    "current_price",  # [currency]
    "regular_price",
    "list_price",
    "reference_price",
    "unit_cost",
    "salvage_value",
    "licensor_min_price",
    "royalty_share",  # [0-1] of the price, to the licensor
    "competitor_median",
    "lowest_price_30_days",
    "highest_price_30_days",
    "family_price",
    "days_since_change",  # [days] null: never seen to change
    "on_hand",  # [units]
    "supply_units",
    "units_mean",  # [units] over the horizon, at the current price
    "units_sd",
    "weekly_units",
    "recent_units",  # [units] sold lately, for price protection, a day
    "days_of_cover",  # [days]
    "age_days",
    "days_to_end_of_sale",
    "reorder_days",  # [days] until what is ordered at the next occasion can be sold
    "guaranteed_units",  # [units] preordered and not shipped: their buyers get a lower price too
    "guaranteed_price",  # [currency] what they are to pay
    "trend_heat",
    "elasticity",
    "elasticity_lo",
    "elasticity_hi",
    "elasticity_level",
    "curvature",  # [1] of demand in the price; 0: constant elasticity
    "has_planned_price",
    "is_held",
    "override_price",
    "switchback_level",  # control, lower or higher, of a style that takes part in a switchback
    "switchback_price",  # [currency] at that level, tomorrow
)


@dataclass(frozen=True)
class LineInputs:
    """Frames the lines are made of, cut to what the run date may know.

    Attributes:
        assortment: as its contract; active rows count.
        products: as ``stg_products``.
        locations: ``location_id``, ``region``.
        prices_now: ``sku``, ``location_id``, ``channel``, ``price``, ``from_date``: in force at the close of D.
        price_window: ``sku``, ``location_id``, ``channel``, ``lowest``, ``highest`` of the last 30 days.
        charged: ``sku``, ``location_id``, ``lowest`` paid in the reference window; null with less history.
        competitors: ``sku``, ``price``: latest price of each competitor.
        demand: ``sku``, ``location_id``, ``mean`` over the horizon, ``cv`` of the total, ``recent_daily``.
        positions: as ``inventory_positions``.
        reorders: ``sku``, ``reorder_days``: lead time and review period.
        guarantees: ``sku``, ``location_id``, ``units``, ``price`` of open preorders.
        heat: ``element_type``, ``element``, ``region``, ``heat``, ``state``.
        elasticities: as its contract.
        planned: ``sku``, ``location_id`` with a price already decided within the horizon.
        overrides: price overrides in force: ``sku``, ``location_id``, ``operation``, ``value``.
        holds: ``scope``, ``id``.
    """

    assortment: pd.DataFrame
    products: pd.DataFrame
    locations: pd.DataFrame
    prices_now: pd.DataFrame
    price_window: pd.DataFrame
    charged: pd.DataFrame
    competitors: pd.DataFrame
    demand: pd.DataFrame
    positions: pd.DataFrame
    reorders: pd.DataFrame
    guarantees: pd.DataFrame
    heat: pd.DataFrame
    elasticities: pd.DataFrame
    planned: pd.DataFrame
    overrides: pd.DataFrame
    holds: pd.DataFrame


_PLACE = ["sku", "location_id"]


def price_lines(inputs: LineInputs, *, run_date: date, config: PricingConfig) -> pd.DataFrame:
    """Return one line per active SKU, location and channel, ordered by them, with ``LINE_COLUMNS``.

    The current price is the one in force at the location (else the one of location ``main``), else the regular price
    of the assortment. Days of cover are capped at ten years, for an item that does not sell at all.
    """
    lines = _with_products(inputs)
    lines = _with_prices(lines, inputs, run_date)
    lines = _with_demand(lines, inputs, config)
    lines = _with_ages(lines, run_date)
    lines = _with_heat(lines, inputs)
    lines = _with_elasticities(lines, inputs.elasticities)
    lines = _with_decisions(lines, inputs)
    family = lines.groupby(["style_id", "location_id", "channel"], dropna=False)["current_price"].transform("median")
    lines = lines.assign(
        family_price=family.where(lines["style_id"].notna()), switchback_level=None, switchback_price=np.nan
    )
    return lines.sort_values([*_PLACE, "channel"], kind="stable", ignore_index=True)[list(LINE_COLUMNS)]


def _with_products(inputs: LineInputs) -> pd.DataFrame:
    active = inputs.assortment[inputs.assortment["status"] == "active"]
    keep = [*_PLACE, "demand_class", "first_sale_date", "launch_date", "end_of_sale_date", "regular_price", "unit_cost"]
    names = [*PRODUCT_FIELDS, "attributes", "list_price", "salvage_value", "licensor_min_price", "royalty_share"]
    products = inputs.products[["sku", *names]].drop_duplicates("sku")
    lines = active[keep].merge(products, on="sku", how="left", validate="m:1")
    known = active.reset_index(drop=True)  # where the shop has no product table
    fallback = ("title", "style_id", "category", "ip", "product_type", "size", "supplier_id")
    return lines.assign(**{n: lines[n].where(lines[n].notna(), known[n]) for n in fallback})


def _with_prices(lines: pd.DataFrame, inputs: LineInputs, run_date: date) -> pd.DataFrame:
    keys = [*_PLACE, "channel"]
    now = inputs.prices_now.merge(inputs.price_window, on=keys, how="left")
    own = lines.merge(now, on=_PLACE, how="left")
    everywhere = now[now["location_id"] == "main"].drop(columns="location_id")
    missing = own["price"].isna()
    if missing.any() and len(everywhere):
        filled = lines[lines.set_index(_PLACE).index.isin(own.loc[missing].set_index(_PLACE).index)]
        own = pd.concat([own[~missing], filled.merge(everywhere, on="sku", how="left")], ignore_index=True)
    price = own["price"].where(own["price"].notna(), own["regular_price"]).astype(float)
    days = (pd.Timestamp(run_date) - own["from_date"]).dt.days
    competitors = inputs.competitors.groupby("sku")["price"].median()
    priced = own.assign(
        channel=own["channel"].fillna("*"),
        current_price=price,
        regular_price=price,
        days_since_change=days.astype(float),
        lowest_price_30_days=np.fmin(own["lowest"].astype(float), price),
        highest_price_30_days=np.fmax(own["highest"].astype(float), price),
        competitor_median=own["sku"].map(competitors).astype(float),
    ).drop(columns=["price", "from_date", "lowest", "highest"])
    charged = inputs.charged.rename(columns={"lowest": "reference_price"})
    priced = priced.merge(charged, on=_PLACE, how="left", validate="m:1")
    paid = priced["reference_price"].astype(float)
    lower = paid.where(paid < priced["current_price"], priced["current_price"])
    return priced.assign(reference_price=lower.where(paid.notna()))


def _with_demand(lines: pd.DataFrame, inputs: LineInputs, config: PricingConfig) -> pd.DataFrame:
    joined = lines.merge(inputs.demand, on=_PLACE, how="left", validate="m:1")
    joined = joined.merge(inputs.positions[[*_PLACE, "on_hand", "on_order"]], on=_PLACE, how="left", validate="m:1")
    mean = joined["mean"].fillna(0.0).astype(float).clip(lower=0)
    on_hand = joined["on_hand"].fillna(0.0).astype(float)
    daily = mean / config.horizon_days
    cover = on_hand.div(daily.where(daily > 0)).fillna(MOST_DAYS_OF_COVER).where(on_hand > 0, 0.0)
    preordered = inputs.guarantees.set_index(_PLACE)[["units", "price"]].reindex(
        pd.MultiIndex.from_frame(joined[_PLACE].astype(object))
    )
    return joined.assign(
        reorder_days=joined["sku"].map(inputs.reorders.set_index("sku")["reorder_days"]).astype(float),
        guaranteed_units=preordered["units"].to_numpy(dtype=float),
        guaranteed_price=preordered["price"].to_numpy(dtype=float),
        on_hand=on_hand,
        supply_units=on_hand + joined["on_order"].fillna(0.0).astype(float),
        units_mean=mean,
        units_sd=mean * joined["cv"].fillna(1.0).astype(float),
        weekly_units=daily * _DAYS_A_WEEK,
        recent_units=joined["recent_daily"].fillna(0.0).astype(float),
        days_of_cover=cover.clip(upper=MOST_DAYS_OF_COVER),
    )


def _with_ages(lines: pd.DataFrame, run_date: date) -> pd.DataFrame:
    born = lines["launch_date"].fillna(lines["first_sale_date"])
    today = pd.Timestamp(run_date)
    return lines.assign(
        age_days=(today - born).dt.days.astype(float).clip(lower=0),
        days_to_end_of_sale=(lines["end_of_sale_date"] - today).dt.days.astype(float).clip(lower=0),
    )


def _with_heat(lines: pd.DataFrame, inputs: LineInputs) -> pd.DataFrame:
    """The heat and state of the hottest element a SKU carries, in the shop's whole area or the location's region."""
    heat = inputs.heat[inputs.heat["heat"].notna()]
    if heat.empty:
        return lines.assign(trend_heat=np.nan, trend_state=None)
    region = lines["location_id"].map(inputs.locations.set_index("location_id")["region"])
    carried = _elements(lines[["sku", "ip", "character", "attributes"]].drop_duplicates("sku"))
    places = lines.assign(own=region.fillna("*"))[["sku", "location_id", "own"]].drop_duplicates()
    pairs = places.merge(carried, on="sku").merge(heat, on=["element_type", "element"])
    pairs = pairs[(pairs["region"] == "*") | (pairs["region"] == pairs["own"])]
    pairs = pairs.sort_values([*_PLACE, "heat", "state"], kind="stable").drop_duplicates(_PLACE, keep="last")
    found = pairs[[*_PLACE, "heat", "state"]].rename(columns={"heat": "trend_heat", "state": "trend_state"})
    return lines.merge(found, on=_PLACE, how="left", validate="m:1")


def _elements(products: pd.DataFrame) -> pd.DataFrame:
    """``sku``, ``element_type``, ``element`` of IP, character and declared attributes."""
    rows: list[tuple[str, str, str]] = []
    for sku, ip, character, attributes in products.itertuples(index=False, name=None):
        rows.extend((sku, kind, v) for kind, v in (("ip", ip), ("character", character)) if isinstance(v, str))
        rows.extend((sku, str(k), str(v)) for k, v in _attributes(attributes).items() if v is not None)
    return pd.DataFrame(rows, columns=["sku", "element_type", "element"], dtype=object).drop_duplicates()


def _attributes(text: object) -> dict[str, object]:
    try:
        found = json.loads(text) if isinstance(text, str) else {}
    except json.JSONDecodeError:
        return {}  # ingest reports what is no JSON
    return found if isinstance(found, dict) else {}


def _with_elasticities(lines: pd.DataFrame, elasticities: pd.DataFrame) -> pd.DataFrame:
    """The elasticity of each line at its current price."""
    names = ["elasticity", "elasticity_lo", "elasticity_hi", "elasticity_level", "curvature", "at_price"]
    own = elasticities[elasticities["sku"] != "*"][["sku", *names]].drop_duplicates("sku")
    joined = lines.merge(own, on="sku", how="left", validate="m:1")
    at, price = (joined[c].to_numpy(dtype=float) for c in ("at_price", "current_price"))
    return carried(joined, learnt_at=at, price=price).drop(columns="at_price")


def _with_decisions(lines: pd.DataFrame, inputs: LineInputs) -> pd.DataFrame:
    """What people decided: planned prices, overrides, holds."""
    planned = pd.MultiIndex.from_frame(inputs.planned[_PLACE].astype(object))
    here = pd.MultiIndex.from_frame(lines[_PLACE].astype(object))
    everywhere = set(inputs.planned.loc[inputs.planned["location_id"] == "main", "sku"])
    held = {scope: set(group["id"]) for scope, group in inputs.holds.groupby("scope")}
    is_held = lines["sku"].isin(held.get("sku", set())) | lines["supplier_id"].isin(held.get("supplier", set()))
    override = np.full(len(lines), np.nan)
    current = lines["current_price"].to_numpy(dtype=float)
    for row in inputs.overrides.to_dict("records"):
        place = row["location_id"]
        mask = (lines["sku"] == row["sku"]).to_numpy()
        if isinstance(place, str) and place:
            mask &= (lines["location_id"] == place).to_numpy()
        amount = float(row["value"])
        value = {"set": np.full(len(lines), amount), "multiply": current * amount, "add": current + amount}
        override = np.where(mask, value[str(row["operation"])], override)
    return lines.assign(
        has_planned_price=here.isin(planned) | lines["sku"].isin(everywhere).to_numpy(),
        is_held=(is_held | bool(held.get("shop"))).to_numpy(),
        override_price=override,
    )
