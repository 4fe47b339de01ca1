"""What the steps check of their own results: sound results are green, one planted fault turns each check red."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from data.contracts import TABLES
from data.contracts.frames import empty_frame
from forecasting import step as forecast_step
from preorder import step as preorder_step
from pricing import step as price_step
from reporting import step as report_step
from restocking import looking_back_step, review_step
from restocking import step as restock_step
from restocking.size_audit import SizeGap
from trends import step as trend_step


class Asked:
    """Stands for a step's hands: notes which checks found how much, and which notes were made."""

    def __init__(self, **hands: Any) -> None:
        self.red: dict[str, int] = {}
        self.notes: list[str] = []
        self.counts: dict[str, int] = {}
        self.written: dict[str, Any] = {}
        self.__dict__.update(hands)

    def check(self, name: str, *, failed: Any, **told: Any) -> None:
        self.red[name] = int(np.sum(np.asarray(failed)))

    def note(self, code: str, text: str, **told: Any) -> None:
        self.notes.append(code)

    def write(self, name: str, frame: Any) -> None:
        self.written[name] = frame

    def __enter__(self) -> Asked:
        return self

    def __exit__(self, *fault: object) -> None:
        return None


def opened(monkeypatch: pytest.MonkeyPatch, module: Any, io: Asked) -> None:
    monkeypatch.setattr(module, "open_step", lambda *told, **more: io)


# trends

SCORES = pl.DataFrame({"score": [0.4, 0.1], "score_lo": [0.2, 0.0], "score_hi": [0.6, 0.2], "is_stale": [False, False]})
FEATURES = pl.DataFrame({"is_stale": [False, True], "heat": [1.0, 0.0], "score": [0.4, 0.0], "growth": [0.1, 0.0]})
SIGNALS = pl.DataFrame({"source": ["search", "social"], "known": [99, 100]})
NO_FAULTS = pl.DataFrame(
    schema={"source": pl.String, "metric": pl.String, "day": pl.Int64, "fault": pl.String}  # none of any source
)


def test_trend_scores_and_features():
    sound = Asked()
    trend_step._check(sound, SCORES, FEATURES)  # type: ignore[arg-type]
    assert sound.red == {"score_inside_interval": 0, "stale_is_neutral": 0}
    broken = Asked()
    outside = SCORES.with_columns(score_lo=pl.Series([0.5, 0.0]))
    loud = FEATURES.with_columns(growth=pl.Series([0.1, 0.3]))
    trend_step._check(broken, outside, loud)  # type: ignore[arg-type]
    assert broken.red == {"score_inside_interval": 1, "stale_is_neutral": 1}


def test_trend_sources():
    sound = Asked()
    trend_step._report(sound, SIGNALS, SCORES, NO_FAULTS, last_day=100)  # type: ignore[arg-type]
    assert (sound.red, sound.notes) == ({"stale_series": 0}, [])
    silent = Asked()
    old = SIGNALS.with_columns(known=pl.Series([90, 100]))
    trend_step._report(
        silent,  # type: ignore[arg-type]
        old,
        SCORES.with_columns(is_stale=pl.Series([True, False])),
        NO_FAULTS,
        last_day=100,
    )
    assert (silent.red, silent.notes) == ({"stale_series": 1}, ["STALE_SOURCE"])
    nothing = Asked()
    trend_step._report(nothing, SIGNALS.clear(), SCORES, NO_FAULTS, last_day=100)  # type: ignore[arg-type]
    assert nothing.notes == ["NO_SIGNALS"]


@pytest.mark.parametrize(("stock_ok", "failed"), [(True, 0), (False, 1)])
def test_exposure(monkeypatch: pytest.MonkeyPatch, stock_ok: bool, failed: int):
    io = Asked(settings=SimpleNamespace(trends={}))
    opened(monkeypatch, trend_step, io)
    monkeypatch.setattr(trend_step, "suggestions", lambda *told: pl.DataFrame({"sku": ["A"], "stock_ok": [stock_ok]}))
    trend_step.run_exposure(Path(), date(2026, 6, 28))
    assert io.red == {"never_push_what_sells_out": failed}


# forecast


def forecast(**changed: Any) -> Asked:
    """Report on a forecast of two series, sound but for what is changed."""
    told: dict[str, Any] = {
        "unusable": np.array([False, False]),
        "reason": ["learner", "learner"],
        "quantiles": np.tile(np.arange(1.0, 5.0), (2, 3, 1)),
        "mean": np.full((2, 3), 2.0),
        "totals": np.tile(np.arange(1.0, 5.0), (2, 1)),
        "total_bias": 0.01,
        "n_windows": 4,
        "n_events": 1,
        **changed,
    }
    fitted = SimpleNamespace(
        total_bias=told["total_bias"], n_windows=told["n_windows"], coherence="bottom_up", coherence_scores=()
    )
    result = SimpleNamespace(
        ladder=SimpleNamespace(unusable=told["unusable"], reason=told["reason"]),
        quantiles=told["quantiles"],
        mean=told["mean"],
        totals=SimpleNamespace(quantiles=told["totals"]),
        fitted=fitted,
    )
    inputs = SimpleNamespace(
        targets=np.array([0, 1]),
        panel=SimpleNamespace(keys=pl.DataFrame({"sku": ["A", "B"]})),
        tables=SimpleNamespace(events=pl.DataFrame({"name": ["x"] * told["n_events"]})),
    )
    io = Asked()
    config = SimpleNamespace(max_failed_share=0.05, growth_cap=10.0)
    forecast_step._report(io, inputs, result, config)  # type: ignore[arg-type]
    return io


def test_a_sound_forecast():
    io = forecast()
    assert set(io.red) == {"first_choice_usable", "within_cap", "ordered_and_finite", "total_bias"}
    assert (sum(io.red.values()), io.notes) == (0, [])


CROSSED = np.tile(np.array([2.0, 1.0, 3.0, 4.0]), (2, 3, 1))


@pytest.mark.parametrize(
    ("changed", "check"),
    [
        ({"unusable": np.array([True, False])}, "first_choice_usable"),
        ({"reason": ["learner", "cut_to_cap"]}, "within_cap"),
        ({"quantiles": CROSSED}, "ordered_and_finite"),
        ({"mean": np.array([[2.0] * 3, [2.0, np.nan, 2.0]])}, "ordered_and_finite"),
        ({"totals": np.array([[1.0, 2.0, 3.0, 4.0], [-1.0, np.inf, 3.0, 4.0]])}, "ordered_and_finite"),
        ({"total_bias": -0.4}, "total_bias"),
    ],
)
def test_a_damaged_forecast(changed: dict[str, Any], check: str):
    red = forecast(**changed).red
    assert [name for name, n in red.items() if n] == [check]


def test_a_forecast_without_history_or_events_says_so():
    assert forecast(n_windows=0, n_events=0).notes == ["NO_BACKTEST", "NO_EVENTS"]


# restock


def gap(difference: float) -> SizeGap:
    """Half a point of doubt on either side."""
    told = {"size_group": "extended", "difference": difference, "low": difference - 0.005, "high": difference + 0.005}
    return SizeGap(**{name: told[name] for name in SizeGap.__dataclass_fields__ if name in told})


@pytest.mark.parametrize(("difference", "failed"), [(0.0, 0), (0.1, 1)])
def test_size_groups(monkeypatch: pytest.MonkeyPatch, difference: float, failed: int):
    io = Asked(settings=SimpleNamespace(planning=SimpleNamespace(seed=1)), run_date=date(2026, 6, 28))
    for name in ("_audited", "size_audit", "_override_values", "_say_what_overrides_did", "_styles", "hedge_plans"):
        monkeypatch.setattr(looking_back_step, name, lambda *told, **more: None)
    monkeypatch.setattr(looking_back_step, "size_gaps", lambda *told, **more: [gap(difference)])
    looking_back_step.write_audits(io, SimpleNamespace(hedges=()))  # type: ignore[arg-type]
    assert io.red == {"size_groups_served_alike": failed}


def test_a_shop_that_cannot_be_tuned_is_told(monkeypatch: pytest.MonkeyPatch):
    io = Asked()
    opened(monkeypatch, review_step, io)
    monkeypatch.setattr(review_step, "chosen_now", lambda io: None)
    review_step.run(Path(), date(2026, 6, 28))
    assert io.notes == ["NO_TUNING"]


@pytest.mark.parametrize("rail", restock_step._RAILS)
def test_held_lines(rail: str):
    io = Asked()
    plan = pd.DataFrame({"sku": ["A", "B"], "status": ["held", "ok"], "reason": [str(rail), "order"]})
    restock_step._warn_of_rails(io, plan)  # type: ignore[arg-type]
    assert [name for name, n in io.red.items() if n] == [f"held_by_{rail}"]


# preorder


def ledger_of(**changed: Any) -> pd.DataFrame:
    frame = empty_frame(TABLES["preorder_ledger"])
    row = {"preorder_id": "P1", "campaign_id": "C1", "sku": "A", "quantity": 2, "firm_qty": 2, "reason": "", **changed}
    return pd.DataFrame([{name: row.get(name) for name in frame.columns}])


def history(*, refused: tuple[str, ...] = (), root: str | None = None) -> Any:
    return SimpleNamespace(refused=refused, ledger_root=root)


@pytest.mark.parametrize(
    ("ledger", "histories", "red"),
    [
        (ledger_of(), {"C1": history()}, []),
        (ledger_of(firm_qty=3), {"C1": history()}, ["firm_within_claim"]),
        (ledger_of(), {"C1": history(refused=("C1: shipped after open",))}, ["campaign_moves_legal"]),
        (ledger_of(), {"C2": history(root="0" * 64)}, ["ledger_root_holds"]),
    ],
)
def test_preorder_ledger(ledger: pd.DataFrame, histories: dict[str, Any], red: list[str]):
    io = Asked()
    preorder_step._check_ledger(io, ledger, histories)  # type: ignore[arg-type]
    assert [name for name, n in io.red.items() if n] == red


@pytest.mark.parametrize(("refund", "failed"), [(4.0, 0), (3.0, 1)])
def test_deposits(refund: float, failed: int):
    io = Asked()
    parts = {"refund_amount": refund, "held_amount": 3.0, "offset_amount": 2.0, "forfeit_amount": 1.0}
    preorder_step._check_deposits(io, pd.DataFrame([{**parts, "deposit_paid": 10.0}]))  # type: ignore[arg-type]
    assert io.red == {"deposits_add_up": failed}


@pytest.mark.parametrize(("holds", "failed"), [(True, 0), (False, 1)])
def test_stated_odds(holds: bool, failed: int):
    io = Asked()
    mix = pd.DataFrame({"variant_sku": ["A-1"], "odds_hold": pd.array([holds], dtype="boolean")})
    preorder_step._check_odds(io, mix)  # type: ignore[arg-type]
    assert io.red == {"stated_odds_hold": failed}


def plan_checked(
    *, batch: dict[str, Any] | None = None, claim: dict[str, Any] | None = None, **changed: Any
) -> tuple[list[str], list[str]]:
    """Return the red checks and the notes of a preorder plan, sound but for what is changed."""
    why = dict.fromkeys(preorder_step._WHY, 0) | {preorder_step._WHY[0]: 5}
    finals = {"forecast_final_p10": 1.0, "forecast_final_p50": 2.0, "forecast_final_p90": 3.0}
    claims = {"campaign_id": "C1", "sku": "A", "claimed_qty": 3, "allocated_qty": 2, "backlog_qty": 1, **(claim or {})}
    tables = SimpleNamespace(
        batch_plan=pd.DataFrame([{**why, "batch_qty": 5, **finals, **(batch or {})}]),
        preorder_allocations=pd.DataFrame([claims]),
        supply=pd.Series([2], index=pd.MultiIndex.from_tuples([("C1", "A")], names=["campaign_id", "sku"])),
        promise_changes=pd.DataFrame({"must_tell": [changed.get("must_tell", False)]}),
        bad_seeds=changed.get("bad_seeds", []),
    )
    inputs = SimpleNamespace(
        campaigns=pd.DataFrame({"sku": [changed.get("campaign_sku", "A")]}), supply=pd.DataFrame({"sku": ["A"]})
    )
    io = Asked()
    preorder_step._check_plan(io, tables, inputs)  # type: ignore[arg-type]
    return [name for name, n in io.red.items() if n], io.notes


@pytest.mark.parametrize(
    ("changed", "red", "notes"),
    [
        ({}, [], []),
        ({"batch": {"batch_qty": 6}}, ["why_adds_up"], []),
        ({"batch": {"forecast_final_p90": 1.5}}, ["volume_quantiles_ordered"], []),
        ({"claim": {"allocated_qty": 3, "backlog_qty": 0}}, ["never_oversold"], []),
        ({"claim": {"backlog_qty": 2}}, ["claims_conserved"], []),
        ({"campaign_sku": "Z"}, ["campaign_has_supply_terms"], []),
        ({"must_tell": True}, [], ["PROMISES_MOVED"]),
        ({"bad_seeds": ["C1"]}, [], ["SEED_REFUSED"]),
    ],
)
def test_preorder_plan(changed: dict[str, Any], red: list[str], notes: list[str]):
    assert plan_checked(**changed) == (red, notes)


# prices

LINE = {
    "suggested_price": 12.0,
    "current_price": 10.0,
    "unit_cost": 6.0,
    "status": "auto",
    "binding_rule": "r",
    "clamp_trail": "t",
}


@pytest.mark.parametrize(
    ("changed", "priced", "red"),
    [
        ({}, True, []),
        ({}, False, ["price_and_cost_known"]),
        ({"status": "unchanged"}, True, ["unchanged_means_unchanged"]),
        ({"suggested_price": 5.0}, True, ["no_automatic_price_below_cost"]),
        ({"binding_rule": None}, True, ["every_change_says_why"]),
        ({"clamp_trail": None}, True, ["every_change_says_why"]),
    ],
)
def test_prices(monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], priced: bool, red: list[str]):
    io = Asked()
    monkeypatch.setattr(price_step, "priceable", lambda lines: pd.Series([priced], index=lines.index))
    price_step._check(io, pd.DataFrame({"sku": ["A"]}), pd.DataFrame([{**LINE, **changed}]))  # type: ignore[arg-type]
    assert [name for name, n in io.red.items() if n] == red


# reports


@pytest.mark.parametrize(("text", "failed"), [("a page", 0), ("", 1)])
def test_reports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, failed: int):
    page = tmp_path / "restock.html"
    page.write_text(text)
    progress: dict[str, Callable[..., None]] = {"stage": lambda *told, **more: None, "advance": lambda: None}
    io = Asked(
        settings=SimpleNamespace(rooms={}, shop=SimpleNamespace(language="en")), progress=SimpleNamespace(**progress)
    )
    opened(monkeypatch, report_step, io)
    monkeypatch.setattr(
        report_step, "_read", lambda *told, **more: SimpleNamespace(frame=lambda name: pd.DataFrame({"sku": ["A"]}))
    )
    monkeypatch.setattr(report_step, "_facts", lambda *told, **more: None)
    monkeypatch.setattr(report_step, "write_reports", lambda *told, **more: [page])
    report_step.run(tmp_path, date(2026, 6, 28))
    assert io.red == {"REPORTS_WRITTEN": failed}
