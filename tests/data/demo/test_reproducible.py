"""The same seed gives the same bytes; another seed gives another shop."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from pydantic import ValidationError

from data.demo import DemoConfig, write_small
from data.demo.config import small_config
from data.demo.streams import stream


def digests(home: Path) -> dict[str, str]:
    files = sorted(p for p in home.rglob("*") if p.is_file())
    return {p.relative_to(home).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_the_same_seed_gives_the_same_bytes(small, tmp_path):
    again = write_small(tmp_path / "again", seed=5)
    assert digests(small.home) == digests(tmp_path / "again")
    assert again.rows == small.summary.rows


def test_another_seed_gives_another_shop(small, tmp_path):
    write_small(tmp_path / "other", seed=6)
    mine, other = digests(small.home), digests(tmp_path / "other")
    for name in (
        "drop/order_lines/order_lines_2026-06-28.csv.gz",
        "truth/brushing.parquet",
        "truth/elasticities.parquet",
    ):
        assert mine[name] != other[name]


def test_every_written_file_is_named_in_the_summary_and_no_other(small):
    resent = {p for p in digests(small.home) if p.endswith("_resent.csv.gz")}
    assert set(small.summary.files) | resent == set(digests(small.home))


def test_writing_into_an_existing_home_keeps_what_is_there(tmp_path):
    (tmp_path / "pricing_rules.yml").write_text("version: 1\n")
    write_small(tmp_path, seed=5)
    assert (tmp_path / "pricing_rules.yml").read_text() == "version: 1\n"


def test_streams_are_independent_of_each_other():
    assert stream(1, "orders").random() == stream(1, "orders").random()
    assert stream(1, "orders").random() != stream(1, "returns").random()
    assert stream(1, "orders").random() != stream(2, "orders").random()


def test_the_run_date_is_an_order_date():
    with pytest.raises(ValidationError, match="must be a Sunday"):
        DemoConfig(run_date="2026-06-27")


@pytest.mark.parametrize("n_styles", [12, 24, 60])
def test_small_worlds_of_several_sizes_are_complete(n_styles, tmp_path):
    summary = write_small(tmp_path / "home", seed=3, n_styles=n_styles)
    assert abs(summary.skus - 2.5 * n_styles) <= 0.5 * 2.5 * n_styles + 12
    assert all(summary.planted[f"brushing_{kind}"] > 0 for kind in ("few_buyers", "ring", "night_burst"))
    assert small_config(seed=3, n_styles=n_styles).n_days == 200
