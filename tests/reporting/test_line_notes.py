"""What stands below a line's reason: the open order, who sends and who gets, flags said once."""

from __future__ import annotations

from datetime import date

import pandas as pd

from reporting.catalogue import load_catalogue
from reporting.line_notes import common_flags, line_notes
from reporting.plan_lines import action_groups

TODAY = date(2026, 6, 28)


def lines(**columns):
    given = {
        "sku": ["A", "A", "B"],
        "location_id": ["north", "web", "web"],
        "status": ["ok", "ok", "held"],
        "action_po_id": [None, "PO-7", None],
        "first_proposed_date": [pd.NaT, pd.Timestamp(2026, 6, 21), pd.Timestamp(2026, 6, 28)],
        "flags": [[], ["still_open", "new_item"], ["new_item"]],
    }
    return pd.DataFrame(given | columns)


def notes(frame, moves=(), *, common=(), language="en"):
    names = ["sku", "from_location_id", "to_location_id", "qty"]
    return line_notes(
        frame,
        transfers=pd.DataFrame(list(moves), columns=names),
        words=load_catalogue(language),
        today=TODAY,
        common=common,
    )


def test_the_giving_and_the_getting_line_each_name_the_other():
    told = notes(lines(), [("A", "north", "web", 3), ("A", "north", "south", 12)])
    assert told[0] == "send 3 to web · send 12 to south"
    assert "gets 3 from north" in told[1]
    assert "send" not in told[1]
    assert "north" not in told[2]


def test_a_line_names_the_open_order_to_call_about_and_since_when_it_waits():
    told = notes(lines())
    assert told == ["", "open order PO-7 · open since 21 Jun · new item", "held · new item"]
    assert "PO-7" in notes(lines(), language="zh")[1]


def test_a_flag_of_nearly_every_line_is_said_once():
    many = pd.DataFrame({"flags": [["new_item"]] * 19 + [["new_item", "stale_stock"]]})
    assert common_flags(many) == ("new_item",)
    assert common_flags(many.head(2)) == ()
    assert common_flags(pd.DataFrame({"flags": [["new_item"]] * 9 + [[]]})) == ()
    assert notes(lines(), common=("new_item",))[2] == "held"


def test_a_group_just_above_its_limit_is_listed_whole():
    def group(n):
        frame = pd.DataFrame({"action": ["order"] * n, "order_value": 1.0, "money_at_risk": range(n, 0, -1)})
        return action_groups(frame, limit=40)[0]

    assert len(group(50).lines) == group(50).total == 50
    assert len(group(51).lines) == 40
    assert group(51).listed_risk == sum(range(51, 11, -1))
