"""The walk-through of the merchandisers' docs, run as it stands: each command, each edit, each line it promises."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from cli.main import app
from data.errors import MerchcastError
from data.settings import load_settings
from data.step_io import open_step
from pricing import step

PAGE = Path(__file__).resolve().parents[2] / "docs" / "merchandisers" / "walk-through.md"
BLOCK = re.compile(r"```(\w+)(?: (\w+))?\n(.*?)```", re.DOTALL)


@pytest.fixture
def home(priced_shop, tmp_path, monkeypatch):
    """The priced shop, to write into, in which one person may approve little."""
    shop, _ = priced_shop
    copy = tmp_path / "home"
    shutil.copytree(shop, copy)
    monkeypatch.setenv("MERCHCAST_HOME", str(copy))
    with (copy / "merchcast.yml").open("a", encoding="utf-8") as file:
        file.write("\npricing: {two_persons_above_value: 0.01}\n")
    return copy


def run(command: str, *, fails: bool) -> str:
    """Run a command of the page and return all it printed."""
    result = CliRunner().invoke(app, command.split()[1:])
    assert (result.exception is not None) == fails, f"{command}: {result.output}\n{result.exception}"
    if fails:
        assert isinstance(result.exception, MerchcastError)
        assert result.exception.exit_code == 2
    return result.output + str(result.exception or "")


def test_the_walk_through_does_what_it_says(home):
    book, said, commands = home / "pricing_rules.yml", "", 0
    for kind, how, content in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        text = book.read_text(encoding="utf-8")
        if kind == "yaml" and how == "append":
            book.write_text(text.rstrip("\n") + "\n\n" + content, encoding="utf-8")
        elif kind == "yaml":
            old, new = content.split("---\n")
            assert old in text
            book.write_text(text.replace(old, new), encoding="utf-8")
        elif kind == "sh":
            said, commands = run(content.strip(), fails=how == "fails"), commands + 1
        else:
            for promised in content.strip().splitlines():
                assert promised in said, f"{promised!r} not in:\n{said[-2000:]}"
    assert commands >= 8
    folder = next((home / "applied").iterdir())
    new, old = (pd.read_csv(folder / name) for name in ("prices.csv", "rollback.csv"))
    assert list(new.columns) == ["sku", "location_id", "channel", "from_date", "price"]
    assert len(new)
    assert (new["price"] != old["price"]).all()
    assert (new.drop(columns="price") == old.drop(columns="price")).all(axis=None)


def test_nothing_is_applied_without_approval_or_by_one_person_where_two_are_needed(home):
    assert "is not approved" in run("merchcast prices apply", fails=True)
    run("merchcast prices approve --by Lin", fails=False)
    assert "needs 2 persons" in run("merchcast prices apply", fails=True)
    assert "another one" in run("merchcast prices approve --by lin", fails=True)
    assert not (home / "applied").exists()


def test_an_approval_is_void_once_the_book_changes(home):
    run("merchcast prices approve --by Lin", fails=False)
    run("merchcast prices approve --by Mei", fails=False)
    book = home / "pricing_rules.yml"
    book.write_text(book.read_text(encoding="utf-8") + "\n# another book\n", encoding="utf-8")
    assert "is not approved" in run("merchcast prices apply", fails=True)


def test_a_plan_lapses(home):
    text = (home / "merchcast.yml").read_text(encoding="utf-8")
    run("merchcast prices approve --by Lin", fails=False)
    run("merchcast prices approve --by Mei", fails=False)
    later = re.sub(r"default_run_date: \S+", "default_run_date: 2030-01-06", text)
    assert later != text
    (home / "merchcast.yml").write_text(later, encoding="utf-8")
    assert "lapsed" in run("merchcast prices apply", fails=True)


def test_a_plan_named_by_another_digest_is_refused(home):
    assert "not 123456" in run("merchcast prices approve --by Lin --plan 123456", fails=True)


def test_a_night_follows_a_new_book_only_once_its_plan_is_approved_and_applied(home):
    day = load_settings(home).planning.default_run_date
    book, followed = home / "pricing_rules.yml", home / "approved" / "pricing_rules.yml"
    old = book.read_text(encoding="utf-8")
    new = old + "\n  - {id: badges_up, type: markup, when: {max_price: 60, min_on_hand: 1}, percent: 4}\n"
    book.write_text(new, encoding="utf-8")
    step.run(home, day)
    with open_step("test", home=home, run_date=day) as io:
        checks, table = io.read("checks"), io.read("price_suggestions")
    assert "UNAPPROVED_BOOK" in set(checks["check"])
    assert not table["rule_ids"].map(lambda ids: "badges_up" in ids).any()
    assert followed.read_text(encoding="utf-8") == old
    for name in ("Lin", "Mei"):
        run(f"merchcast prices approve --by {name}", fails=False)
    assert followed.read_text(encoding="utf-8") == old
    run("merchcast prices apply", fails=False)
    assert followed.read_text(encoding="utf-8") == new
    assert (next((home / "applied").iterdir()) / "rules_before.yml").read_text(encoding="utf-8") == old
    step.run(home, day)
    with open_step("test", home=home, run_date=day) as io:
        assert io.read("price_suggestions")["rule_ids"].map(lambda ids: "badges_up" in ids).any()


def test_a_book_that_moves_no_price_tonight_can_be_approved_too(home):
    book = home / "pricing_rules.yml"
    head = book.read_text(encoding="utf-8").split("rules:")[0].split("scopes:")[0]
    text = head + "rules:\n  - {id: stop, type: freeze, when: {all: true}}\n"
    book.write_text(text, encoding="utf-8")
    run("merchcast prices approve --by Lin", fails=False)
    run("merchcast prices apply", fails=False)
    assert (home / "approved" / "pricing_rules.yml").read_text(encoding="utf-8") == text
    book.write_text(text, encoding="utf-8")
    assert "is applied already" in run("merchcast prices approve --by Mei", fails=True)
