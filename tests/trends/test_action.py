"""From heat to money: proposals are costed, confirmed, reviewed and withdrawn; the record says how they turned out."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from trends.action import Goods, costed_alerts, proposals
from trends.config import TrendConfig
from trends.judgement import Judgement
from trends.record import judged_alarms, kinds_of_bursts, scorecard
from trends.sales import SalesPanel

CONFIG = TrendConfig()
DAY = 20_600


def goods(**changed):
    item = {
        "sku": "A",
        "location_id": "web",
        "region": "east",
        "rate": 10.0,
        "earlier_rate": 1000.0,
        "stock": 0.0,
        "open_orders": 0.0,
        "supplier_id": "SUP",
        "unit_cost": 5.0,
        "price": 20.0,
        "salvage_value": 1.0,
        "royalty_share": 0.1,
        "lead_time_days": 5.0,
        "review_period_days": 7.0,
        "pack_size": 12,
        "days_on_sale": 3650.0,
        "size_group": None,
    }
    return Goods(
        items=pl.DataFrame([item | changed]),
        elements=pl.DataFrame({"sku": ["A"], "element_type": ["ip"], "element": ["star"]}),
        bom=pl.DataFrame({"sku": ["A"], "component_sku": ["TIN"], "quantity": [2.0]}),
        materials=pl.DataFrame({"sku": ["A"], "material": ["tin"]}),
        suppliers=pl.DataFrame({"supplier_id": ["SUP"], "capacity_per_period": [400.0]}),
    )


def said(*, sales_heat=0.3, strength=0.7):
    keys = {"element_type": ["ip"], "element": ["star"], "region": ["*"]}
    return Judgement(
        leads=pl.DataFrame(),
        lead_days={"ip": 14},
        strengths={"ip": strength},
        sizes={"ip": (30.0, 0.8)},
        alarms=pl.DataFrame(),
        history=pl.DataFrame(),
        card=pl.DataFrame({"element_type": ["*", "ip"], "p_right": [0.5, 0.7]}),
        sales_heat=pl.DataFrame({**keys, "sales_heat": [sales_heat]}),
    )


def alert(reason="rising_signals", *, traffic_only=False):
    return pl.DataFrame(
        {
            "element_type": ["ip"],
            "element": ["star"],
            "region": ["*"],
            "heat": [0.5],
            "noticed": [DAY - 4],
            "reason": [reason],
            "is_traffic_only": [traffic_only],
        }
    )


def traffic(value=None):
    return pl.DataFrame(
        {"element_type": ["ip"], "element": ["star"], "region": ["*"], "traffic_heat": [value]},
        schema_overrides={"traffic_heat": pl.Float64},
    )


def proposed(alerts=None, judged=None, seen=None, sold=None):
    full, lines = costed_alerts(
        alert() if alerts is None else alerts,
        judged or said(),
        traffic() if seen is None else seen,
        sold or goods(),
        day=DAY,
        config=CONFIG,
    )
    return full.row(0, named=True), lines


def test_a_confirmed_burst_asks_for_whole_packs_with_money_materials_capacity_and_a_last_day():
    row, lines = proposed()
    line = lines.row(0, named=True)
    lift = np.exp(0.7 * 0.8) - 1  # while it rises: as hot as bursts of its kind are in the middle of them
    days = 26 + 14  # what is left of it, and the lead by which signals run ahead
    assert line["extra_demand"] == pytest.approx(10 * lift * days)
    assert row["proposed_qty"] == np.ceil(10 * lift * (days - 6) / 12) * 12
    assert row["status"] == "proposed"
    assert row["confirmed_by"] == "sales"
    assert row["gain_if_right"] == pytest.approx(row["proposed_qty"] * (20 * 0.9 - 5))
    assert 0 < row["cost_if_wrong"] < row["proposed_qty"] * 5
    assert row["materials"] == f"TIN {2 * row['proposed_qty']}"
    assert row["capacity"] == f"SUP {row['proposed_qty']} of 400 per period"
    assert row["order_by"] == DAY + days - 6 - CONFIG.min_selling_days
    assert row["p_right"] == 0.7


def test_stock_and_open_orders_beyond_the_usual_need_are_taken_off():
    row, _ = proposed()
    need = 10 * (5 + 7 + CONFIG.spare_days)
    less, _ = proposed(sold=goods(stock=need + 60.0, open_orders=80.0))
    assert less["proposed_qty"] == pytest.approx(
        row["proposed_qty"] - 60 - 80, abs=75
    )  # first days are served by it too
    assert less["proposed_qty"] < row["proposed_qty"]
    enough, lines = proposed(sold=goods(stock=5_000.0))
    assert (enough["proposed_qty"], enough["status"]) == (0, "watch")
    assert proposals(lines).is_empty()


def test_nothing_is_proposed_that_would_come_too_late():
    row, _ = proposed(sold=goods(lead_time_days=60.0))
    assert row["proposed_qty"] == 0


@pytest.mark.parametrize(
    ("sales_heat", "traffic_heat", "traffic_only", "confirmed", "status"),
    [
        (0.0, None, False, "none", "watch"),
        (0.0, 0.4, False, "site_traffic", "proposed"),
        (0.0, 0.4, True, "none", "watch"),  # traffic cannot confirm itself
        (0.2, None, True, "sales", "proposed"),
    ],
)
def test_only_what_sales_or_traffic_confirm_is_proposed(sales_heat, traffic_heat, traffic_only, confirmed, status):
    row, _ = proposed(alert(traffic_only=traffic_only), said(sales_heat=sales_heat), traffic(traffic_heat))
    assert (row["confirmed_by"], row["status"]) == (confirmed, status)


def test_a_burst_that_is_over_is_withdrawn_and_asks_for_nothing():
    row, lines = proposed(alert("burst_over"))
    assert (row["status"], row["proposed_qty"], row["withdraw_when"]) == ("withdrawn", 0, "burst_over")
    assert proposals(lines).is_empty()


def test_a_wrong_guess_of_a_fast_seller_costs_what_its_stock_makes_it_wait():
    _, lines = proposed(sold=goods(rate=100.0, pack_size=1))
    wrong = lines.row(0, named=True)
    bought = wrong["proposed_qty"]
    # by hand: the slower half of 90 days of demand sells, the rest is written down and held for all of them
    usual = 100.0 * np.exp(-0.3) * CONFIG.wrong_days  # sales have risen by 0.3 already
    sells = usual - np.sqrt(2 / np.pi) * np.sqrt(usual)
    sold = min(bought, sells)
    left = bought - sold
    held = sold * (sold / (sells / CONFIG.wrong_days)) / 2 + left * CONFIG.wrong_days
    by_hand = left * (5.0 - 1.0) + 5.0 * CONFIG.annual_holding_rate * held / 365
    assert wrong["cost_if_wrong"] == pytest.approx(by_hand)
    # units behind others wait longer
    _, lines = proposed(sold=goods(rate=100.0, pack_size=1, stock=1_900.0))
    behind = lines.row(0, named=True)
    assert behind["cost_if_wrong"] / behind["proposed_qty"] > wrong["cost_if_wrong"] / bought


def test_an_item_that_has_only_just_risen_falls_back_to_what_it_sold_before():
    (usual, risen) = (
        proposed(sold=goods(rate=100.0, earlier_rate=earlier, pack_size=1))[1].row(0, named=True)
        for earlier in (1000.0, 5.0)
    )
    assert risen["proposed_qty"] == usual["proposed_qty"]
    never_sold = risen["proposed_qty"] - 5.0 * CONFIG.wrong_days
    assert risen["cost_if_wrong"] > never_sold * (5.0 - 1.0) > usual["cost_if_wrong"]


def test_what_would_not_sell_is_written_down():
    _, lines = proposed(judged=said(strength=2.0), sold=goods(pack_size=1, days_on_sale=30.0))
    line = lines.row(0, named=True)
    assert line["cost_if_wrong"] > (line["proposed_qty"] - 10.0 * 30) * (5.0 - 1.0) > 0


def test_a_product_in_two_alerts_stands_once_with_the_one_that_is_confirmed():
    other = alert().with_columns(region=pl.lit("east"), heat=pl.lit(2.0))
    both = pl.concat([alert(), other])
    _, lines = costed_alerts(both, said(), traffic(), goods(), day=DAY, config=CONFIG)
    found = proposals(lines)
    # sales confirm the element over all regions, not the hotter one in the east
    assert found.select("region", "status").rows() == [("*", "proposed")]
    assert found["proposed_qty"][0] == lines.filter(pl.col("alert_region") == "*")["proposed_qty"][0]


def history(lift: float):
    n = 120
    keys = pl.DataFrame({"sku": ["A", "B", "C"], "region": ["east"] * 3})
    units = np.full((3, n), 5.0, dtype=np.float32)
    units[0, 60:] *= lift  # A carries the element; the rest of the shop does not move
    panel = SalesPanel(keys, units, DAY - n + 1)
    first = panel.first_day
    alarms = pl.DataFrame(
        {
            "element_type": ["ip"] * 2,
            "element": ["star"] * 2,
            "region": ["*"] * 2,
            "started": [first + 55, first + 110],
            "noticed": [first + 58, first + 112],
            "ended": [first + 80, None],
            "peak_heat": [0.8, 0.4],
        }
    )
    rows = {("ip", "star", "*"): np.array([0])}
    return judged_alarms(
        alarms, panel, rows, {"ip": 10}, {"A": (8.0, 2.0)}, sizes={"ip": (22.0, 0.8)}, strengths={"ip": 0.7}
    )


@pytest.mark.parametrize(("lift", "outcome"), [(1.8, "hit"), (1.0, "miss"), (0.6, "miss")])
def test_an_alarm_is_judged_by_what_its_carriers_sold_against_the_rest(lift, outcome):
    judged = history(lift)
    assert judged["outcome"].to_list() == [outcome, "pending"]
    assert judged["lift"][0] == pytest.approx(lift, rel=1e-6)
    assert (judged["money"][0] > 0) == (outcome == "hit")
    if outcome == "hit":
        assert judged["rose_after"][0] < 20


def test_the_scorecard_counts_and_shrinks():
    card = scorecard(pl.concat([history(1.8), history(1.0), history(1.8)])).row(0, named=True)
    assert (card["element_type"], card["alerts"], card["hits"], card["misses"], card["pending"]) == ("*", 6, 2, 1, 3)
    assert card["precision"] == pytest.approx(2 / 3)
    assert 0.5 < card["p_right"] < 2 / 3
    assert card["precision_lo"] < card["p_right"] < card["precision_hi"]
    assert card["gain"] > 0
    assert card["cost"] > 0


def test_few_bursts_give_the_usual_size():
    alarms = pl.DataFrame({"element_type": ["ip"], "noticed": [1], "ended": [9], "peak_heat": [0.3]})
    assert kinds_of_bursts(alarms, ["ip", "colour"]) == {"ip": (28.0, 0.5), "colour": (28.0, 0.5)}
