"""Transfers between locations, from surplus only.

A location gives away what it holds beyond its own order-up-to level and beyond ``transfer_keep_days`` of its mean
demand. A transfer is proposed where it arrives no later than an order would, and costs less freight than the goods
cost. It lowers the order of the location that receives it, before minimum orders and packs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["plan_transfers", "received_units", "sent_units"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_COLUMNS = ["sku", "from_location_id", "to_location_id", "qty", "why_from", "why_to", "value", "freight"]


def plan_transfers(lines: pd.DataFrame, lanes: pd.DataFrame, *, min_units: int = 1) -> pd.DataFrame:
    """Return the transfers, the greatest needs served first, from the largest surplus first.

    Args:
        lines: ``sku``, ``location_id``, ``needed_qty``, ``surplus_qty`` [whole units], ``unit_cost``
            [shop.currency/unit; nan unknown], ``lead_days`` [days], in plan order.
        lanes: ``from_location_id``, ``to_location_id``, ``days``, ``freight_per_unit``.
        min_units: fewer are not moved [units].

    Returns:
        ``sku``, ``from_location_id``, ``to_location_id``, ``qty`` [units], ``why_from``, ``why_to``, ``value``,
        ``freight`` [shop.currency].
    """
    offers = lines.loc[lines["surplus_qty"] > 0, ["sku", "location_id", "surplus_qty"]]
    wants = lines.loc[lines["needed_qty"] > 0, ["sku", "location_id", "needed_qty", "unit_cost", "lead_days"]]
    pairs = (
        offers.rename(columns={"location_id": "from_location_id"})
        .merge(wants.rename(columns={"location_id": "to_location_id"}), on="sku")
        .merge(
            lanes[["from_location_id", "to_location_id", "days", "freight_per_unit"]],
            on=["from_location_id", "to_location_id"],
        )
    )
    freight = pairs["freight_per_unit"].fillna(0.0)
    worth = (pairs["days"].fillna(0.0) <= pairs["lead_days"]) & ~(freight >= pairs["unit_cost"])
    pairs = pairs.assign(freight_per_unit=freight).loc[worth]
    pairs = pairs.sort_values(
        ["sku", "needed_qty", "surplus_qty", "to_location_id", "from_location_id"],
        ascending=[True, False, False, True, True],
    )
    return _match(pairs, min_units=min_units)


def _match(pairs: pd.DataFrame, *, min_units: int) -> pd.DataFrame:
    surplus: dict[tuple[str, str], int] = {}
    wanted: dict[tuple[str, str], int] = {}
    rows = []
    for pair in pairs.itertuples(index=False):
        origin, target = (str(pair.sku), str(pair.from_location_id)), (str(pair.sku), str(pair.to_location_id))
        has = surplus.setdefault(origin, int(pair.surplus_qty))  # type: ignore[arg-type]
        lacks = wanted.setdefault(target, int(pair.needed_qty))  # type: ignore[arg-type]
        qty = min(has, lacks)
        if qty < max(min_units, 1):
            continue
        surplus[origin], wanted[target] = has - qty, lacks - qty
        why_from, why_to = f"surplus_{pair.surplus_qty}", f"need_{pair.needed_qty}"
        value, freight = qty * float(pair.unit_cost), qty * float(pair.freight_per_unit)  # type: ignore[arg-type]
        rows.append((origin[0], origin[1], target[1], qty, why_from, why_to, value, freight))
    return pd.DataFrame(rows, columns=_COLUMNS).astype({"qty": "int64", "value": "float64", "freight": "float64"})


def received_units(lines: pd.DataFrame, transfers: pd.DataFrame) -> Ints:
    """Return the units that each line receives by transfers."""
    return _units(lines, transfers, "to_location_id")


def sent_units(lines: pd.DataFrame, transfers: pd.DataFrame) -> Ints:
    """Return the units that each line gives away by transfers."""
    return _units(lines, transfers, "from_location_id")


def _units(lines: pd.DataFrame, transfers: pd.DataFrame, side: str) -> Ints:
    total = (
        transfers.groupby(["sku", side])["qty"].sum().rename("qty").reset_index().rename(columns={side: "location_id"})
    )
    units = lines[["sku", "location_id"]].merge(total, on=["sku", "location_id"], how="left")["qty"]
    return units.fillna(0).to_numpy(np.int64)
