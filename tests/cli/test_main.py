"""Exit codes and messages of the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from cli.dag_run import nightly_steps
from cli.render import closing_line
from dags.nightly import STEPS


def merchcast(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "cli.main", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--date", "yesterday"], "is no date"),
        (["run", "--date", "2026-06-28", "--only", "prcie"], "expected one of"),
        (["show", "everything"], "none of restock"),
        (["nonsense"], "No such command"),
        (["schema", "nonsense"], "is no table"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_was_expected(tmp_path: Path, arguments: list[str], message: str):
    (tmp_path / "merchcast.yml").write_text("shop: {name: Test}\n")
    home = [] if arguments[0] in ("nonsense", "schema") else ["--home", str(tmp_path)]
    done = merchcast(*arguments, *home)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_a_weekly_shop_cannot_be_run_for_a_saturday(tmp_path: Path):
    (tmp_path / "merchcast.yml").write_text("planning: {freq: W-MON}\n")
    done = merchcast("run", "--home", str(tmp_path), "--date", "2026-06-27")
    assert done.returncode == 2
    assert "last day of a week" in done.stderr


def test_a_typo_in_a_rooms_settings_is_found_before_anything_is_read(tmp_path: Path):
    (tmp_path / "merchcast.yml").write_text("restocking: {max_cover_dais: 10}\n")
    done = merchcast("run", "--home", str(tmp_path), "--date", "2026-06-28")
    assert done.returncode == 2
    assert "did you mean 'max_cover_days'" in done.stderr


def test_schema_prints_the_contract_of_a_table():
    done = merchcast("schema", "stock")
    assert done.returncode == 0
    assert set(json.loads(done.stdout)["properties"]) == {"as_of_date", "sku", "location_id", "on_hand", "backorders"}


def test_a_steps_name_covers_its_parts():
    assert nightly_steps(["preorder"], STEPS) == ["preorder_ledger", "preorder_plan"]
    assert nightly_steps(["price", "restock"], STEPS) == ["restock", "price"]
    with pytest.raises(KeyError):
        nightly_steps(["prices"], STEPS)


def test_the_closing_line_counts_released_lines_only():
    checks = pd.DataFrame({"status": ["pass", "pass", "warn"]})
    plan = pd.DataFrame(
        {"order_qty": [5, 2, 0], "status": ["ok", "held", "ok"], "order_value": [Decimal("10.5"), Decimal(9), None]}
    )
    line = closing_line(pd.Timestamp("2026-06-28").date(), checks=checks, plan=plan, currency="CNY", report="r.html")
    assert line == "Done. PASS=2 WARN=1 FAIL=0  restock_plan 2026-06-28: 1 lines, 10.50 CNY -> r.html"
