"""What `show`, `explain` and `schema` print, in which order, and what they say of what is mistyped."""

from __future__ import annotations

import json
from decimal import Decimal

import jsonschema
import pandas as pd
import pytest
import yaml

from cli.home import make_home
from cli.main import _unknown
from cli.rooms import room_configs
from cli.schemas import schema_text
from cli.shown import SHOWN, for_people, of_sku, similar
from data.contracts import TABLES
from data.errors import ConfigError


@pytest.mark.parametrize("what", list(SHOWN))
def test_everything_shown_is_a_column_of_its_published_table(what):
    columns = {column.name for column in TABLES[SHOWN[what].table].columns}
    assert {*SHOWN[what].columns, *(name for name, _ in SHOWN[what].first)} - columns == set()


def test_what_asks_for_a_person_comes_first():
    prices = pd.DataFrame(
        {
            "status": ["unchanged", "auto", "needs_approval", "auto", "held"],
            "profit_change": [Decimal(0), Decimal(5), Decimal(1), Decimal(-9), None],
        }
    )
    assert for_people(prices, SHOWN["prices"]).index.tolist() == [2, 3, 1, 4, 0]
    checks = pd.DataFrame({"status": ["pass", "warn", "fail", "warn"]})
    assert for_people(checks, SHOWN["checks"]).index.tolist() == [2, 1, 3, 0]
    trends = pd.DataFrame({"score": [0.1, None, 3.0, -2.0]})
    assert for_people(trends, SHOWN["trends"]).index.tolist() == [2, 0, 3, 1]
    assert for_people(prices, SHOWN["forecast"]) is prices


def test_a_mistyped_sku_or_location_is_answered_with_what_there_is():
    plan = pd.DataFrame({"sku": ["BDG-0044", "BDG-0044", "COS-1"], "location_id": ["web", "north", "web"]})
    assert of_sku(plan, "COS-1", what="restock", table="restock_plan").index.tolist() == [2]
    with pytest.raises(ConfigError, match="'bdg-44' is not in restock_plan .* did you mean 'BDG-0044'"):
        of_sku(plan, "bdg-44", what="restock", table="restock_plan")
    with pytest.raises(ConfigError, match="show trends knows no SKU"):
        of_sku(plan[["location_id"]], "COS-1", what="trends", table="trend_scores")
    assert similar("nothing like it", plan["sku"]) == ""
    assert _unknown("BDG-0044", "mars", plan).endswith("not planned for location 'mars'; it is for north, web")
    assert "did you mean 'COS-1'" in _unknown("cos-1", None, plan)


def test_a_mistyped_table_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match=r"'stok' is no table.*did you mean stock"):
        schema_text("stok")


@pytest.fixture(scope="module")
def config_schema():
    return json.loads(schema_text("config"))


def test_the_schema_of_the_settings_holds_every_key_of_every_room(config_schema):
    for room, config in room_configs().items():
        if room == "demand":
            found = config_schema["$defs"]["DemandSettings"]["properties"]["rules"]
        else:
            found = config_schema["properties"][room]
        assert set(found["properties"]) == set(config.model_fields)
        assert found["additionalProperties"] is False


def test_the_schema_takes_a_new_homes_settings_and_refuses_a_typo(config_schema, tmp_path):
    make_home(tmp_path)
    settings = yaml.safe_load((tmp_path / "merchcast.yml").read_text(encoding="utf-8"))
    jsonschema.validate(settings, config_schema)
    jsonschema.validate({"sources": {"stock": [settings["sources"]["order_lines"]]}}, config_schema)
    for typo in ({"trends": {"windw": 3}}, {"sources": {"stock": {"kind": "fiel"}}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(typo, config_schema)
