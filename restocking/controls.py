"""What people decided: overrides of quantities, hold switches, and decisions about proposals."""

from __future__ import annotations

from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["apply_overrides", "held_by_switch", "silenced_by_decision"]

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def apply_overrides(
    lines: pd.DataFrame,
    quantity: npt.ArrayLike,
    overrides: pd.DataFrame,
    *,
    run_date: date,
    answers: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return the quantities that planners typed.

    A quantity that somebody typed (``set``) is ordered once: a purchase order placed since the override's first day
    answers it, and the line falls back to what is computed.

    Overrides in force are applied in the order of the table, each to what the one before left. A quantity is rounded to
    whole units, never to packs: a person may break a pack, and the line says so.

    Args:
        lines: ``sku``, ``location_id``, in plan order.
        quantity: computed quantities of the same lines [units].
        overrides: ``kind``, ``sku``, ``location_id`` (null: all), ``from_date``, ``to_date``, ``operation``, ``value``,
            ``reason``, ``expires_date``. Only kind ``order`` is looked at.
        run_date: D.
        answers: orders placed and goods received: ``sku``, ``location_id``, ``ordered_date``; None: none.

    Returns:
        Same order: ``override_qty`` [units; nan where none is in force], ``override_reason``, ``is_answered``, and
        ``is_typed`` (a person set the quantity: it does not rest on the computed one).
    """
    value = np.asarray(quantity, dtype=np.float64).copy()
    touched = np.zeros(len(lines), dtype=bool)
    reasons = np.full(len(lines), None, dtype=object)
    answered = np.zeros(len(lines), dtype=bool)
    typed = np.zeros(len(lines), dtype=bool)
    ordered = _last_ordered(lines, answers)
    for rule in overrides.loc[_in_force(overrides, run_date=run_date) & (overrides["kind"] == "order")].itertuples():
        rows = np.ones(len(lines), dtype=bool)
        for key in ("sku", "location_id"):
            wanted = getattr(rule, key)
            if not pd.isna(wanted) and wanted not in ("", "*"):
                rows &= (lines[key] == wanted).to_numpy()
        first_day = pd.to_datetime(str(rule.from_date), errors="coerce")
        if rule.operation == "set" and first_day is not pd.NaT:
            done = rows & (ordered >= first_day.to_datetime64())
            answered |= done
            rows = rows & ~done
        amount = float(rule.value)  # type: ignore[arg-type]
        new = {"set": np.full(len(lines), amount), "multiply": value * amount, "add": value + amount}[
            str(rule.operation)
        ]
        value = np.where(rows, np.maximum(np.floor(new + 0.5), 0.0), value)
        touched |= rows
        typed |= rows & (rule.operation == "set")
        reasons[rows] = rule.reason
    return pd.DataFrame(
        {
            "override_qty": np.where(touched, value, np.nan),
            "override_reason": reasons,
            "is_answered": answered & ~touched,
            "is_typed": typed,
        },
        index=lines.index,
    )


def _last_ordered(lines: pd.DataFrame, answers: pd.DataFrame | None) -> npt.NDArray[np.datetime64]:
    """Return the day of the last order placed for each line; NaT without one."""
    if answers is None or answers.empty:
        return np.full(len(lines), np.datetime64("NaT"), dtype="datetime64[ns]")
    keys = ["sku", "location_id"]
    dated = answers.assign(ordered_date=pd.to_datetime(answers["ordered_date"]))
    last = dated.groupby(keys)["ordered_date"].max().rename("last").reset_index()
    return lines[keys].merge(last, on=keys, how="left")["last"].to_numpy("datetime64[ns]")


def _in_force(overrides: pd.DataFrame, *, run_date: date) -> pd.Series:
    today = pd.Timestamp(run_date)
    started = overrides["from_date"].isna() | (overrides["from_date"] <= today)
    not_over = overrides["to_date"].isna() | (overrides["to_date"] >= today)
    return started & not_over & (overrides["expires_date"].isna() | (overrides["expires_date"] >= today))


def held_by_switch(lines: pd.DataFrame, holds: pd.DataFrame, *, run_date: date) -> Mask:
    """Return the lines that a hold switch stops: of the whole shop, of a supplier, or of a SKU.

    Args:
        lines: ``sku``, ``supplier_id``.
        holds: ``scope``, ``id``, ``expires_date``.
        run_date: D.
    """
    active = holds.loc[holds["expires_date"].isna() | (holds["expires_date"] >= pd.Timestamp(run_date))]
    by_supplier = lines["supplier_id"].isin(active.loc[active["scope"] == "supplier", "id"])
    by_sku = lines["sku"].isin(active.loc[active["scope"] == "sku", "id"])
    return (by_supplier | by_sku | bool((active["scope"] == "shop").any())).to_numpy()


def silenced_by_decision(proposal_ids: pd.Series, decisions: pd.DataFrame, *, run_date: date) -> Mask:
    """Return the lines whose proposal a planner answered, up to and including ``until_date``.

    Without a date a decision holds as long as the same need stays open.
    """
    today = pd.Timestamp(run_date)
    active = decisions.loc[decisions["until_date"].isna() | (decisions["until_date"] >= today), "proposal_id"]
    return (proposal_ids.notna() & proposal_ids.isin(active)).to_numpy()
