"""The pages as text: one file each, no outside address, inert, the same bytes every time, as approved."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import zlib
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest

from reporting.page import PAGES, embed_json, file_name

RUN_DATE = date(2026, 11, 22)
GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "reporting"


class Page(HTMLParser):
    """Collects tags, attributes and text the way a browser would see them."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.inside: list[str] = []
        self.scripts: dict[str, str] = {}
        self.style = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.inside.append(dict(attrs).get("id") or dict(attrs).get("type") or tag)

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self.inside.pop()

    def handle_data(self, data):
        if self.inside and self.inside[-1] == "style":
            self.style += data
        elif self.inside:
            self.scripts[self.inside[-1]] = self.scripts.get(self.inside[-1], "") + data
        else:
            self.text.append(data)


def all_pages(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.html"))


def test_every_page_is_there_in_both_languages(report_folder):
    names = {path.name for path in report_folder.iterdir()}
    assert names == {*(f"{page}.html" for page in PAGES), *(f"{page}.en.html" for page in PAGES), "restock.xlsx"}
    assert file_name("restock", "zh", main_language="en") == "restock.zh.html"


def test_no_page_names_an_address_outside(report_folder):
    for path in all_pages(report_folder):
        page = Page(path.read_text(encoding="utf-8"))
        linked = {
            value
            for _, attrs in page.tags
            for key, value in attrs.items()
            if key in ("src", "href", "action", "srcset", "poster")
        }
        outside = {
            v
            for v in linked
            if not v.startswith("#")
            and v != "data:,"
            and not re.fullmatch(r"\.\./\.\./index(\.en)?\.html", v)  # of all runs, beside the published folders
            and v.split("#")[0] not in {p.name for p in all_pages(report_folder)}
        }
        assert outside == set(), path.name
        assert not re.search(r"url\(|@import", page.style)


def test_the_content_policy_forbids_the_network_and_names_the_very_script_and_style(report_folder):
    def digest(text: str) -> str:
        return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    for path in all_pages(report_folder):
        page = Page(path.read_text(encoding="utf-8"))
        policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
        assert rules["default-src"] == "'none'"
        assert rules["script-src"] == f"'{digest(page.scripts['script'])}'"
        assert rules["style-src"] == f"'{digest(page.style)}'"
        assert "unsafe" not in policy


def test_hostile_titles_make_no_element_and_stay_whole(report_folder, shop):
    for path in (report_folder / "restock.html", report_folder / "restock.en.html"):
        page = Page(path.read_text(encoding="utf-8"))
        assert [tag for tag, _ in page.tags if tag in ("img", "iframe", "object", "embed", "form")] == []
        assert [key for _, attrs in page.tags for key in attrs if key.startswith("on")] == []
        assert sum(tag == "script" and "type" not in attrs for tag, attrs in page.tags) == 1
        lines = json.loads(page.scripts["lines"])
        titles = {row[1] for row in lines["rows"]}
        assert set(shop.hostile) <= titles
        shown = set(page.text)
        assert set(shop.hostile) <= shown


def test_the_list_holds_every_line_of_the_plan(report_folder, run_tables):
    page = Page((report_folder / "restock.en.html").read_text(encoding="utf-8"))
    data = json.loads(page.scripts["lines"])
    names = [column[0] for column in data["columns"]]
    plan = run_tables.frame("restock_plan").set_index("sku")
    assert len(data["rows"]) == len(plan)
    for row in data["rows"]:
        line = dict(zip(names, row, strict=True))
        truth = plan.loc[line["sku"]]
        assert line["order_qty"] == truth["order_qty"]
        assert line["order_value"] == pytest.approx(truth["order_value"], abs=0.005)
        assert line["on_hand"] == truth["on_hand"]
        assert data["dict"]["action"][line["action"]][0] == truth["action"]
        assert line["expected_receipt_date"] == (truth["expected_receipt_date"].date() - RUN_DATE).days


def test_an_unfolded_line_holds_the_terms_of_its_plan_line(report_folder, run_tables):
    from reporting.arithmetic import WHY_TERMS

    page = Page((report_folder / "restock.en.html").read_text(encoding="utf-8"))
    data = json.loads(page.scripts["lines"])
    plan = run_tables.frame("restock_plan").set_index("sku")
    entries = []
    for k in range(-(-data["details"] // data["chunk"])):
        entries += json.loads(zlib.decompress(base64.b64decode(page.scripts[f"detail-{k}"])))
    assert len(entries) == data["details"] == len(plan)
    for row, (_, why, clauses, _, _) in zip(data["rows"], entries, strict=True):
        assert why == [plan.loc[row[0], name] for name in WHY_TERMS]
        assert sum(why) == plan.loc[row[0], "order_qty"] == clauses[-1][1]


def test_the_five_numbers_on_the_page_are_the_plans(report_folder, run_tables):
    plan = run_tables.frame("restock_plan")
    html = (report_folder / "restock.en.html").read_text(encoding="utf-8")
    shown = dict(re.findall(r'data-kpi="(\w+)" data-v="([^"]*)"', html))
    released = plan[(plan["order_qty"] > 0) & (plan["status"] != "held")]
    assert int(shown["lines_to_order"]) == len(released)
    assert float(shown["order_value"]) == pytest.approx(released["order_value"].sum())
    assert float(shown["excess_value"]) == pytest.approx(plan["excess_value"].sum())
    accuracy = run_tables.frame("forecast_accuracy")
    total = accuracy[(accuracy["segment"] == "total") & (accuracy["horizon"] == "1-28")]
    assert float(shown["accuracy"]) == pytest.approx(total["wape"].iloc[0])


def test_the_same_inputs_give_the_same_bytes(report_folder, run_tables, shop, tmp_path):
    from reporting.step import write_reports

    write_reports(tmp_path, tables=run_tables, facts=shop.facts(), main_language="zh", config=shop.config)
    for path in sorted(report_folder.iterdir()):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_rows_in_another_order_give_the_same_pages(report_folder, run_tables, shop, tmp_path):
    from reporting.step import write_reports

    shuffled = {
        name: frame.sample(frac=1.0, random_state=5).reset_index(drop=True) for name, frame in run_tables.frames.items()
    }
    tables = type(run_tables)(
        frames={**shuffled, "accuracy_history": run_tables.frames["accuracy_history"]},
        history=run_tables.history.sample(fraction=1.0, shuffle=True, seed=5),
        forecasts=run_tables.forecasts.sample(fraction=1.0, shuffle=True, seed=5),
        previous=run_tables.previous,
        previous_date=run_tables.previous_date,
    )
    write_reports(tmp_path, tables=tables, facts=shop.facts(), main_language="zh", config=shop.config)
    for name in ("restock.html", "prices.html", "trends.html", "quality.html"):
        first = _without_sequences(report_folder / name)
        assert _without_sequences(tmp_path / name) == first, name


def _without_sequences(path: Path) -> str:
    """The page without the tables that are shown in the order in which they were written."""
    html = path.read_text(encoding="utf-8")
    return re.sub(r'<table id="(changes|idle|transfers)".*?</table>', "", html, flags=re.S)


def test_a_lone_surrogate_cannot_stop_the_page():
    assert "\\ud800" not in embed_json("ok")
    assert json.loads(str(embed_json("</script><!--&\u2028")).encode("utf-8", "replace")) == "</script><!--&\u2028"
    assert "<" not in embed_json("</script>")


def test_above_the_limit_only_the_exceptions_unfold(shop, tmp_path):
    from reporting.step import write_reports

    config = shop.config.model_copy(update={"detail_limit": 50})
    tables = shop.make_run(400, exceptions=0.1)
    write_reports(tmp_path, tables=tables, facts=shop.facts(), main_language="en", config=config)
    data = json.loads(Page((tmp_path / "restock.html").read_text(encoding="utf-8")).scripts["lines"])
    assert data["details"] == 50
    assert data["beyond"] == {}
    assert len(data["rows"]) == 400


def test_a_line_that_is_listed_as_an_exception_always_unfolds(shop):
    from reporting.restock_report import shared_series

    config = shop.config.model_copy(update={"detail_limit": 60, "group_limit": 5})
    shared = shared_series(shop.make_run(600, exceptions=0.8), facts=shop.facts(), config=config)
    listed = shared.lines[shared.lines["action"] != "none"].groupby("action").head(5).index
    assert set(listed) <= {*range(shared.details), *shared.beyond}
    assert max(shared.beyond) > shared.details
    assert shared.details + len(shared.beyond) <= 60 + len(listed)
    packed = [entry for text in shared.packed for entry in json.loads(zlib.decompress(base64.b64decode(text)))]
    for place, line in enumerate([*range(shared.details), *shared.beyond]):
        assert packed[place][2][-1] == ["total", shared.lines["order_qty"].iloc[line]]


@pytest.fixture(scope="module")
def small_reports(shop, tmp_path_factory):
    """The reports of a run of 24 lines."""
    from reporting.step import write_reports

    folder = tmp_path_factory.mktemp("golden")
    write_reports(folder, tables=shop.make_run(24, seed=11), facts=shop.facts(), main_language="zh", config=shop.config)
    return folder


@pytest.mark.parametrize(
    "name", ["restock.en.html", "restock.html", "prices.en.html", "accuracy.en.html", "trends.html", "quality.en.html"]
)
def test_the_page_reads_as_approved(name, small_reports):
    """Set MERCHCAST_UPDATE_GOLDEN=1 to approve what is written now."""
    html = (small_reports / name).read_text(encoding="utf-8")
    body = re.sub(r"<svg.*?</svg>", "<svg/>", html[html.index("<body") : html.index("<footer")], flags=re.S)
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("MERCHCAST_UPDATE_GOLDEN"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(body, encoding="utf-8")
    assert body == golden.read_text(encoding="utf-8")
