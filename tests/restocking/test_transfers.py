"""Transfers: from surplus only, and they lower the order of the place that receives them."""

from __future__ import annotations

import numpy as np

from restocking.transfers import share_out


def two_places(shop, **lane):
    case = shop().item("A", "east", demand=1.0, stock=200).item("A", "west", demand=4.0, stock=40)
    return case.add("stg_lanes", **{"from_location_id": "east", "to_location_id": "west", "days": 2.0, **lane})


def test_surplus_moves_to_the_need_before_anything_is_ordered(shop):
    tables = two_places(shop).plan()
    plan = tables.restock_plan.set_index("location_id")
    transfer = tables.transfer_plan.iloc[0]
    need = 84 - 40 - (56 - 40)
    assert (transfer["from_location_id"], transfer["to_location_id"], transfer["qty"]) == ("east", "west", need)
    assert (plan.loc["west", "order_qty"], plan.loc["west", "why_transfer"]) == (0, -need)
    assert plan.loc["west", ["action", "reason"]].tolist() == ["transfer", "surplus_elsewhere"]
    assert plan.loc["east", ["action", "reason"]].tolist() == ["transfer", "surplus_here"]
    assert plan.loc["west", "p_stockout_if_ordered"] == 0


def test_only_surplus_is_given_away(shop):
    case = shop().item("A", "east", demand=1.0, stock=70).item("A", "west", demand=4.0, stock=40)
    case.add("stg_lanes", from_location_id="east", to_location_id="west", days=2.0)
    tables = case.plan()
    assert tables.transfer_plan["qty"].tolist() == [10]  # east keeps 60 days of its own demand
    assert tables.restock_plan.set_index("location_id").loc["west", "order_qty"] == 18


def test_nothing_moves_without_a_lane_or_where_it_is_slow_or_dear(shop):
    assert two_places(shop, to_location_id="south").plan().transfer_plan.empty
    assert two_places(shop, days=15.0).plan().transfer_plan.empty
    assert two_places(shop, freight_per_unit=4.0).plan().transfer_plan.empty
    assert two_places(shop).tune(transfers=False).plan().transfer_plan.empty


def test_one_surplus_is_never_given_twice(shop):
    case = two_places(shop).item("A", "south", demand=8.0, stock=10)
    case.add("stg_lanes", from_location_id="east", to_location_id="south", days=2.0)
    moved = case.plan().transfer_plan
    assert moved["qty"].sum() <= 200 - 60
    assert moved["to_location_id"].tolist() == ["south", "west"]


def test_scarce_stock_is_shared_out_by_equal_marginal_return():
    rng = np.random.default_rng(2)
    need = rng.gamma(2.0, 10.0, (4, 200))
    gain = np.array([5.0, 10.0, 10.0, 1.0])
    wanted = np.full(4, 60)
    got = share_out(70, wanted=wanted, need=need, gain=gain)
    assert got.sum() == 70

    def worth(place, unit):
        return gain[place] * (need[place] >= unit - 0.5).mean()

    given_last = min(worth(i, got[i]) for i in range(4) if got[i])
    next_best = max(worth(i, got[i] + 1) for i in range(4) if got[i] < wanted[i])
    assert given_last >= next_best  # no unit would be worth more elsewhere
    assert share_out(500, wanted=wanted, need=need, gain=gain).tolist() == wanted.tolist()
    assert share_out(0, wanted=wanted, need=need, gain=gain).sum() == 0


def test_a_transfer_says_why_from_here_why_to_there_and_why_this_many(shop):
    plenty = two_places(shop).plan().transfer_plan.iloc[0]
    assert (plenty["why_from"], plenty["surplus_qty"]) == ("beyond_kept_cover", 200 - 60)
    assert (plenty["why_to"], plenty["needed_qty"]) == ("runs_out_before_receipt", 28)
    assert plenty["reason"] == "whole_need"
    scarce = shop().item("A", "east", demand=1.0, stock=70).item("A", "west", demand=4.0, stock=40)
    scarce = scarce.add("stg_lanes", from_location_id="east", to_location_id="west", days=2.0).plan().transfer_plan
    assert scarce["reason"].tolist() == ["whole_surplus"]
    shared = two_places(shop).item("A", "south", demand=8.0, stock=10)
    shared = shared.tune(transfer_keep_days=150).add(
        "stg_lanes", from_location_id="east", to_location_id="south", days=2.0
    )
    moved = shared.plan().transfer_plan
    assert moved["qty"].sum() == 200 - 150
    assert moved["reason"].iloc[-1] in ("shared_by_return", "whole_need")
    assert (moved["qty"] <= moved["needed_qty"]).all()
    assert (moved["qty"] <= moved["surplus_qty"]).all()
