"""Rules from a contract: a planted fault for every kind, exact counts, nothing green on nothing."""

from __future__ import annotations

import math
from datetime import date

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.checks import expectations, facts
from data.checks.facts import facts_of
from data.checks.runner import check_batches, check_table
from data.checks.suites import RuleKind, contract_rules, identity
from data.contracts import TABLES, DType, Table, TableKind
from data.contracts.model import column, key
from data.errors import DataError

SHELF = Table(
    "shelf",
    TableKind.OUTPUT,
    ("run_date", "sku", "ds"),
    (
        key("run_date", dtype=DType.DATE),
        key("sku"),
        key("ds", dtype=DType.DATE),
        column("units", DType.NUMBER, nullable=False, minimum=0, maximum=100),
        column("price", DType.MONEY, minimum=0),
        column("packs", DType.INTEGER, minimum=1),
        column("status", DType.STRING, choices=("ok", "held")),
        column("flags", DType.STRINGS, nullable=False),
    ),
    "A table of every dtype.",
)
DAY = date(2026, 6, 28)
TOTAL = identity("adds_up", pl.col("units") <= pl.col("packs") * 24, expected="at most 24 a pack", advice="Look.")


def shelf(n: int = 6) -> pl.DataFrame:
    """Rows without a fault."""
    return pl.DataFrame(
        {
            "sku": [f"S{i:06d}" for i in range(n)],
            "ds": [DAY] * n,
            "units": [float(i % 24) for i in range(n)],
            "price": pl.Series([f"{i % 9}.5" for i in range(n)]).cast(pl.Decimal(18, 4)),
            "packs": [1 + i % 3 for i in range(n)],
            "status": ["ok", "held", None][: min(n, 3)] * (n // 3) if n else pl.Series([], dtype=pl.String),
            "flags": [["x"]] * n if n else pl.Series([], dtype=pl.List(pl.String)),
        },
    ).with_columns(pl.col("ds").cast(pl.Date))


def at(frame: pl.DataFrame, row: int, **values: object) -> pl.DataFrame:
    """The frame with other values in one row."""
    index = pl.int_range(pl.len()) == row
    return frame.with_columns(
        pl.when(index).then(pl.lit(v, dtype=frame.schema[n])).otherwise(pl.col(n)).alias(n) for n, v in values.items()
    )


PLANTED = {
    "columns": lambda f: f.select("ds", *[n for n in f.columns if n != "ds"]),
    "row_floor": lambda f: f.head(2),
    "key_unique": lambda f: at(f, 3, sku="S000001"),
    "key_not_null.sku": lambda f: at(f, 2, sku=None),
    "key_not_null.ds": lambda f: at(f, 2, ds=None),
    "not_null.units": lambda f: at(f, 2, units=None),
    "not_null.flags": lambda f: at(f, 2, flags=None),
    "finite.units": lambda f: at(f, 2, units=math.nan),
    "bounds.units": lambda f: at(f, 2, units=-1.0),
    "bounds.price": lambda f: f.with_columns(pl.col("price") - 1),
    "bounds.packs": lambda f: at(f, 2, packs=0),
    "choices.status": lambda f: at(f, 2, status="oops"),
    "identity.adds_up": lambda f: at(f, 2, packs=None),
}
"""A fault for each rule of the table: the check's name when red -> how to plant it."""


def checked(frame: pl.DataFrame, *, table: Table = SHELF, row_floor: int = 3) -> dict[str, object]:
    return {r.check: r for r in check_table("s", table, frame, row_floor=row_floor, rules=[TOTAL])}


def test_every_rule_of_the_contract_has_a_planted_fault():
    rules = [*contract_rules(SHELF, row_floor=3), TOTAL]
    names = {r.kind.value if r.name == r.kind.value else f"{r.kind.value}.{r.name}" for r in rules}
    assert names == set(PLANTED)
    assert {name.split(".")[0] for name in PLANTED} == {kind.value for kind in RuleKind}


@pytest.mark.parametrize("fault", PLANTED)
def test_each_planted_fault_turns_its_check_red_and_is_named(fault):
    frame = PLANTED[fault](shelf())
    result = checked(frame)[fault]
    assert result.status == "fail"
    assert result.stops_the_run
    assert result.rows_failed >= 1
    assert result.advice
    assert result.expected
    if fault.split(".")[0] in ("bounds", "not_null", "finite", "choices", "identity"):
        assert any(key.endswith(" / 2026-06-28") for key in result.sample_keys)


def test_a_table_without_a_fault_is_green_in_every_kind():
    results = checked(shelf(300))
    assert {r.status for r in results.values()} == {"pass"}
    assert set(results) == set(PLANTED)  # each expectation has a row of its own
    assert {r.rows_checked for r in results.values()} == {300}
    assert (results["bounds.units"].expected, results["bounds.units"].severity) == ("0 to 100", "error")
    assert results["bounds.units"].observed.startswith("0 of 300 rows")


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_numbers_that_are_none_are_red_though_a_range_would_pass_them(value):
    no_bounds = Table("t", TableKind.INTERNAL, ("sku",), (key("sku"), column("x", DType.NUMBER)), "")
    (red,) = [
        r
        for r in check_table("s", no_bounds, pl.DataFrame({"sku": ["a", "b"], "x": [1.0, value]}))
        if r.status != "pass"
    ]
    assert (red.check, red.rows_failed, red.sample_keys) == ("finite.x", 1, ("b",))


@pytest.mark.parametrize("blank", ["", " ", "\t"])
def test_a_blank_key_is_as_bad_as_none(blank):
    assert checked(at(shelf(), 1, sku=blank))["key_not_null.sku"].rows_failed == 1


def test_an_empty_table_is_green_in_its_columns_alone_and_red_where_rows_must_be():
    results = check_table("s", SHELF, shelf(0), row_floor=0)
    assert [(r.check, r.status) for r in results] == [("columns", "pass")]
    assert "no rows, so no other rule was asked" in results[0].observed
    results = check_table("s", SHELF, shelf(0), row_floor=1)
    assert [(r.check, r.status) for r in results] == [("columns", "pass"), ("row_floor", "fail")]
    assert check_table("s", SHELF, shelf(0).drop("units"))[0].status == "fail"


def test_a_missing_column_is_red_for_each_rule_that_needs_it():
    results = check_table("s", SHELF, shelf().drop("units", "sku"), row_floor=1)
    red = {r.check for r in results if r.status == "fail"}
    assert red == {"columns", "key_unique", "key_not_null.sku", "not_null.units", "finite.units", "bounds.units"}
    assert "no such column" in next(r for r in results if r.check == "bounds.units").observed


def test_warnings_do_not_stop_a_run():
    soft = identity("cheap", pl.col("price") < 3, expected="under 3", advice="-", severity="warn")
    (red,) = [r for r in check_table("s", SHELF, shelf(), rules=[soft]) if r.status != "pass"]
    assert (red.check, red.status, red.severity, red.stops_the_run) == ("identity.cheap", "warn", "warn", False)


def test_words_say_how_many_and_how_far():
    result = checked(at(at(shelf(), 2, units=-1.0), 4, units=250.0))["bounds.units"]
    assert (result.observed, result.expected) == ("2 of 6 rows, from -1 to 250", "0 to 100")
    assert checked(at(shelf(), 2, status="oops"))["choices.status"].observed == "1 of 6 rows: 'oops'"
    assert len(checked(shelf().with_columns(units=pl.lit(-1.0)))["bounds.units"].sample_keys) == 5


def test_the_same_rows_give_the_same_results():
    frame = PLANTED["bounds.price"](shelf(60))
    assert check_table("s", SHELF, frame) == check_table("s", SHELF, frame.to_arrow())


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_contract_makes_rules_and_takes_an_empty_frame(name):
    from data.contracts.frames import arrow_schema

    table = TABLES[name]
    (result,) = check_table("s", table, arrow_schema(table, exclude=("run_date",)).empty_table())
    assert (result.check, result.status) == ("columns", "pass")
    kinds = {r.kind for r in contract_rules(table)}
    assert {RuleKind.COLUMNS, RuleKind.KEY_UNIQUE, RuleKind.KEY_NOT_NULL} <= kinds


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "sku": st.sampled_from(["A", "B", "", None]),
            "units": st.sampled_from([None, 0.0, 5.0, -0.5, 100.0, 100.5, math.inf, math.nan]),
            "packs": st.sampled_from([None, 0, 1, 2]),
            "status": st.sampled_from([None, "ok", "held", "?"]),
        }
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=60)
@given(rows=ROWS, batch=st.integers(1, 7))
def test_counts_are_those_of_a_loop_over_the_rows_whatever_the_batches(rows, batch):
    schema = {"sku": pl.String, "units": pl.Float64, "packs": pl.Int64, "status": pl.String}
    frame = pl.DataFrame(rows, schema=schema).with_columns(ds=pl.lit(DAY), price=pl.lit(None), flags=pl.lit(None))
    rules = [
        r
        for r in (*contract_rules(SHELF), TOTAL)
        if not {"price", "flags"} & set(r.columns) or r.kind is RuleKind.COLUMNS
    ]
    found = facts_of(lambda: frame.iter_slices(batch), rules, key=["sku", "ds"])
    failed = {(r.kind.value, r.name): f.rows_failed for r, f in found.by_rule.items()}

    def count(broken) -> int:
        return sum(bool(broken(r)) for r in rows)

    assert found.rows == len(rows)
    assert failed["key_not_null", "sku"] == count(lambda r: not r["sku"])
    assert failed["key_unique", "key_unique"] == len(rows) - len({r["sku"] for r in rows})
    assert failed["not_null", "units"] == count(lambda r: r["units"] is None)
    assert failed["finite", "units"] == count(lambda r: r["units"] is not None and not math.isfinite(r["units"]))
    assert failed["bounds", "units"] == count(lambda r: r["units"] is not None and not 0 <= r["units"] <= 100)
    assert failed["bounds", "packs"] == count(lambda r: r["packs"] is not None and r["packs"] < 1)
    assert failed["choices", "status"] == count(lambda r: r["status"] == "?")


def test_rows_that_come_in_batches_get_the_same_verdict_as_a_frame():
    frame = PLANTED["key_unique"](at(shelf(51), 40, units=-3.0)).to_arrow()

    def stream() -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(frame.schema, frame.to_batches(max_chunksize=7))

    assert check_batches("s", SHELF, stream, row_floor=3) == check_table("s", SHELF, frame, row_floor=3)
    empty = frame.slice(0, 0)
    (result,) = check_batches("s", SHELF, lambda: pa.RecordBatchReader.from_batches(empty.schema, []))
    assert (result.check, result.status) == ("columns", "pass")


def test_a_large_table_is_counted_whole_and_sampled_evenly(monkeypatch):
    monkeypatch.setattr(facts, "MAX_SAMPLE_ROWS", 100)
    frame = at(shelf(3000), 2999, units=-1.0)
    found = facts_of(lambda: frame.iter_slices(701), contract_rules(SHELF), key=["sku"])
    assert 50 < found.sample.height <= 100
    steps = {b - a for a, b in zip(*(lambda n: (n, n[1:]))([int(s[1:]) for s in found.sample["sku"]]), strict=False)}
    assert len(steps) == 1
    assert checked(frame)["bounds.units"].rows_failed == 1  # the one bad row need not be in the sample


def test_great_expectations_gives_the_verdict_on_the_counts(monkeypatch):
    """A rule is red because Great Expectations finds its count, or its witness, red, and for no other reason."""
    asked = []
    genuine = expectations._validate

    def spy(frame, what, **options):
        asked.append((frame, [type(e).__name__ for e in what]))
        return genuine(frame, what, **options)

    monkeypatch.setattr(expectations, "_validate", spy)
    assert checked(at(shelf(), 2, units=-1.0))["bounds.units"].status == "fail"
    ((frame, names),) = asked  # one suite a table
    assert frame["rows_failed"].sum() == 1
    assert names.count("ExpectColumnValuesToBeBetween") == 3
    assert names.count("ExpectColumnPairValuesAToBeGreaterThanB") == 2


def test_what_is_red_is_asked_for_only_where_something_is(monkeypatch):
    asked = []
    genuine = expectations._batch_definition().get_batch

    class Spied:
        def get_batch(self, **options):
            batch = genuine(**options)

            class Counted:
                def validate(self, suite, *, result_format):
                    asked.append(result_format)
                    return batch.validate(suite, result_format=result_format)

            return Counted()

    monkeypatch.setattr(expectations, "_batch_definition", Spied)
    checked(shelf())
    assert asked == ["BOOLEAN_ONLY"]
    assert checked(at(shelf(), 2, units=-1.0))["bounds.units"].rows_failed == 1
    assert asked[1:] == ["BOOLEAN_ONLY", expectations._COMPLETE]


@pytest.mark.parametrize("fault", [f for f in PLANTED if f.split(".")[0] not in ("finite", "identity", "row_floor")])
def test_every_kind_of_rule_has_a_second_witness(fault, monkeypatch):
    """Were our count 0, the sample's own figures would still turn the rule red."""
    genuine = facts.facts_of

    def blind(*args, **kwargs):
        found = genuine(*args, **kwargs)
        for fact in found.by_rule.values():
            fact.rows_failed, fact.rows_checked = 0, found.rows
        return found

    monkeypatch.setattr("data.checks.runner.facts_of", blind)
    assert checked(PLANTED[fault](shelf()))[fault].status == "fail"


def test_a_count_that_overlooks_what_great_expectations_sees_is_red(monkeypatch):
    monkeypatch.setattr(facts, "_broken", lambda rule, schema: pl.lit(value=False))
    result = checked(at(shelf(), 2, units=-1.0))["bounds.units"]
    assert (result.status, result.rows_failed) == ("fail", 1)
    assert result.observed == "the counts disagree: 0 of 6 rows by our count, 1 by Great Expectations"


def test_expectations_that_were_not_evaluated_are_an_error(monkeypatch):
    class Lost:
        def get_batch(self, **_):
            return self

        def validate(self, *_, **__):
            return type("Outcome", (), {"results": []})()

    monkeypatch.setattr(expectations, "_batch_definition", Lost)
    with pytest.raises(DataError, match="was given 7 expectations and evaluated 0"):
        checked(shelf())


def test_checking_leaves_no_file_and_prints_nothing(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    checked(shelf(300))
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")
