"""What overrides gained, by role and reason; and the maps of the trend page."""

from __future__ import annotations

import pandas as pd
import pytest

from data.contracts import TABLES
from data.contracts.frames import conform
from reporting.catalogue import load_catalogue
from reporting.override_view import override_rows_shown, override_sums
from reporting.trend_report import hit_map

WORDS = load_catalogue("en")
VALUES = pd.DataFrame(
    {
        "override": ["order|A|main|2026-10-04", "order|B|main|2026-10-04", "order|C|web|2026-10-11"],
        "role": ["planner", "planner", None],
        "reason": ["festival at the weekend", "gut feeling, nothing else", "festival at the weekend"],
        "wape_before": [0.8, 0.2, 0.5],
        "wape_after": [0.3, 0.6, 0.4],
        "money_gained": [120.0, -50.0, None],
    }
)


def test_each_override_says_what_it_was_and_what_costs_most_stands_first():
    shown = override_rows_shown(VALUES, words=WORDS)
    assert shown["override_subject"].tolist() == ["B · main", "C · web", "A · main"]
    assert shown["override_run"].tolist() == ["2026-10-04", "2026-10-11", "2026-10-04"]
    assert shown["value_added_points"].tolist() == pytest.approx([-40.0, 10.0, 50.0])
    assert shown["verdict"].tolist() == ["fail", "pass", "pass"]
    assert shown["role"].tolist() == ["planner", "not named", "planner"]


def test_an_override_that_changed_nothing_neither_helped_nor_harmed():
    even = VALUES.head(1).assign(wape_after=0.8, money_gained=0.0)
    by_role = override_sums(override_rows_shown(even, words=WORDS), by="role")
    assert by_role[["overrides", "helped", "harmed"]].iloc[0].tolist() == [1, 0, 0]


def test_sums_by_role_and_by_reason():
    shown = override_rows_shown(VALUES, words=WORDS)
    by_role = override_sums(shown, by="role").set_index("overridden_by")
    assert by_role.loc["planner", ["overrides", "helped", "harmed"]].tolist() == [2, 1, 1]
    assert by_role.loc["planner", "money_gained"] == 70.0
    assert pd.isna(by_role.loc["not named", "money_gained"])
    assert by_role.loc["not named", "helped"] == 1  # by its error, where no money is known
    by_reason = override_sums(shown, by="override_reason")
    assert by_reason["overridden_by"].tolist() == ["gut feeling, nothing else", "festival at the weekend"]
    assert by_reason["value_added_points"].tolist() == pytest.approx([-40.0, 30.0])
    assert override_sums(override_rows_shown(VALUES.head(0), words=WORDS), by="role").empty


def test_a_hit_is_shaded_only_where_it_is_sure():
    hits = conform(
        TABLES["hit_map"],
        pd.DataFrame(
            {
                "element_type": ["ip", "ip", "collar"],
                "element": ["fox", "fox", "sailor"],
                "region": ["east", "north", "east"],
                "season": "2026Q3",
                "p_hit": [0.4, 0.4, 0.1],
                "p_hit_lo": [0.3, 0.1, 0.05],
                "p_hit_hi": [0.5, 0.7, 0.2],
                "base_rate": [0.2, 0.2, 0.2],
                "n_products": [40, 3, 12],
            }
        ),
    )
    shown = hit_map(hits, words=WORDS)
    assert shown.regions == ("east", "north")
    assert [name for name, _ in shown.rows] == ["fox (IP)", "sailor (collar)"]
    (sure, unsure), (low, none) = (cells for _, cells in shown.rows)
    assert (sure[0], sure[1]) == ("40%", 3)
    assert sure[2] == "90% interval 30%–50%, usual 20%, 40 products"
    assert (unsure[1], low[1], none[0]) == (0, 0, "–")


def test_fixed_phrases_are_told_in_chinese_and_names_stay():
    zh = load_catalogue("zh").phrase
    trail = "clear_slow: 164 days of cover (>= 120) -> -10 % = 241.20; price_ending .90 -> 241.90"
    assert zh(trail) == "clear_slow: 可供 164 天 (>= 120) -> -10 % = 241.20; 价格尾数 .90 -> 241.90"
    assert zh("key not null: sku, location_id") == "主键非空：sku, location_id"
    assert load_catalogue("en").phrase(trail) == trail
    assert zh(None) == ""


def test_price_experiments_stand_below_the_prices_with_their_intervals(run_tables, shop):
    from reporting.price_preview import price_html, price_view

    experiments = pd.DataFrame(
        {
            "experiment_id": ["switchback-1"],
            "arms": [["control", "lower"]],
            "exposure": [1200.0],
            "effect": [0.031],
            "effect_lo": [-0.01],
            "effect_hi": [0.07],
            "decision": ["continue"],
            "days_needed": [42],
        }
    )
    tables = type(run_tables)(
        frames={**run_tables.frames, "experiments": experiments},
        history=run_tables.history,
        forecasts=run_tables.forecasts,
    )
    known = {"facts": shop.facts(), "words": WORDS, "config": shop.config}
    assert price_view(run_tables, **known).experiments.total == 0
    row = price_view(tables, **known).experiments.rows[0]
    assert [row.cells[0].text, row.cells[3].text, row.cells[3].sub] == ["switchback-1", "0.03", "−0.01 … 0.07"]
    assert 'id="experiments"' in price_html(tables, **known, main_language="en")
