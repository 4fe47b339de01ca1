"""Transfers between locations, from surplus only.

A location gives away what it holds beyond its own order-up-to level and beyond ``transfer_keep_days`` of its mean
demand. A transfer is proposed where it arrives no later than an order would, and costs less freight than the goods
cost. It lowers the order of the location that receives it, before minimum orders and packs. Where one place's surplus
is less than all others lack, it is shared out by equal marginal return: each unit goes where it is likeliest to sell
for most, so that the last units given anywhere are worth the same.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from restocking.codes import WhyQty

__all__ = ["plan_transfers", "received_units", "sent_units", "share_out"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_HALF = 0.5  # [units] a need of half a unit more counts as one
_COLUMNS = [
    "sku",
    "from_location_id",
    "to_location_id",
    "qty",
    "why_from",
    "surplus_qty",
    "why_to",
    "needed_qty",
    "reason",
    "value",
    "freight",
]


def share_out(available: int, *, wanted: Ints, need: Floats, gain: Floats) -> Ints:
    """Return how many units each place gets: every unit where gain times P(it sells) is greatest.

    Args:
        available: to share out [units].
        wanted: shape (n,): most that each place takes [units].
        need: shape (n, n_paths): what an order would have to bring there [units].
        gain: shape (n,): of a unit that sells [shop.currency].

    Example: the first place surely needs 4, the second 4 or none.
        >>> need = np.array([[4.0, 4.0], [0.0, 4.0]])
        >>> share_out(6, wanted=np.array([4, 4]), need=need, gain=np.ones(2)).tolist()
        [4, 2]
    """
    place = np.repeat(np.arange(len(wanted)), wanted)
    unit = np.arange(len(place)) - np.repeat(np.cumsum(wanted) - wanted, wanted) + 1
    sells = [1 - np.searchsorted(np.sort(of), unit[place == i] - _HALF) / len(of) for i, of in enumerate(need)]
    worth = gain[place] * np.concatenate([*sells, np.empty(0)])
    best = np.lexsort((place, unit, -worth))[: max(available, 0)]
    return np.bincount(place[best], minlength=len(wanted)).astype(np.int64)


def plan_transfers(
    lines: pd.DataFrame,
    lanes: pd.DataFrame,
    *,
    need: Floats | None = None,
    gain: Floats | None = None,
    min_units: int = 1,
) -> pd.DataFrame:
    """Return the transfers, from the largest surplus first, shared out by equal marginal return.

    Args:
        lines: ``sku``, ``location_id``, ``needed_qty``, ``surplus_qty`` [whole units], ``unit_cost``
            [shop.currency/unit; nan unknown], ``lead_days`` [days], ``why_from`` and ``why_to`` (codes: what a surplus
            lies beyond, what a need comes from), in plan order.
        need: shape (n, n_paths): need of the lines [units]; None: exactly ``needed_qty``.
        gain: shape (n,): of a unit that sells [shop.currency]; None: the same everywhere.
        lanes: ``from_location_id``, ``to_location_id``, ``days``, ``freight_per_unit``.
        min_units: fewer are not moved [units].

    Returns:
        ``sku``, ``from_location_id``, ``to_location_id``, ``qty`` [units], ``why_from`` (why from there),
        ``surplus_qty``, ``why_to`` (why to there), ``needed_qty`` [units], ``reason`` (why this many: the whole need,
        the whole surplus, or a share where each unit sells best), ``value``, ``freight`` [shop.currency].
    """
    rows = lines.reset_index(drop=True)
    exact = rows["needed_qty"].to_numpy(np.float64)[:, None]
    worth = np.ones(len(rows)) if gain is None else np.nan_to_num(gain)
    offers = rows.loc[rows["surplus_qty"] > 0, ["sku", "location_id", "surplus_qty", "why_from"]]
    wants = rows.loc[rows["needed_qty"] > 0, ["sku", "location_id", "needed_qty", "unit_cost", "lead_days", "why_to"]]
    pairs = (
        offers.rename(columns={"location_id": "from_location_id"})
        .merge(wants.rename(columns={"location_id": "to_location_id"}).rename_axis("row").reset_index(), on="sku")
        .merge(
            lanes[["from_location_id", "to_location_id", "days", "freight_per_unit"]],
            on=["from_location_id", "to_location_id"],
        )
    )
    freight = pairs["freight_per_unit"].fillna(0.0)
    in_time = (pairs["days"].fillna(0.0) <= pairs["lead_days"]) & ~(freight >= pairs["unit_cost"])
    pairs = pairs.assign(freight_per_unit=freight).loc[in_time]
    pairs = pairs.sort_values(
        ["sku", "surplus_qty", "from_location_id", "needed_qty", "to_location_id"],
        ascending=[True, False, True, False, True],
    )
    return _match(pairs, need=exact if need is None else need, gain=worth, min_units=min_units)


def _match(pairs: pd.DataFrame, *, need: Floats, gain: Floats, min_units: int) -> pd.DataFrame:
    got = np.zeros(len(gain), dtype=np.int64)
    rows = []
    for (sku, origin), part in pairs.groupby(["sku", "from_location_id"], sort=False):
        at = part["row"].to_numpy(np.int64)
        lacks = part["needed_qty"].to_numpy(np.int64) - got[at]
        shares = share_out(
            int(part["surplus_qty"].iloc[0]),
            wanted=np.maximum(lacks, 0),
            need=need[at] - got[at][:, None],
            gain=gain[at],
        )
        for qty, pair in zip(shares.tolist(), part.reset_index(drop=True).itertuples(), strict=True):
            if qty < max(min_units, 1):
                continue
            got[int(pair.row)] += qty  # type: ignore[arg-type]
            value, freight = qty * float(pair.unit_cost), qty * float(pair.freight_per_unit)  # type: ignore[arg-type]
            lacked = int(lacks[pair.Index])
            why_qty = _why_qty(qty, lacked=lacked, surplus=int(pair.surplus_qty))  # type: ignore[arg-type]
            told = (pair.why_from, int(pair.surplus_qty), pair.why_to, lacked, str(why_qty))  # type: ignore[arg-type]
            rows.append((sku, origin, pair.to_location_id, qty, *told, value, freight))
    whole = dict.fromkeys(("qty", "surplus_qty", "needed_qty"), "int64")
    return pd.DataFrame(rows, columns=_COLUMNS).astype({**whole, "value": "float64", "freight": "float64"})


def _why_qty(qty: int, *, lacked: int, surplus: int) -> WhyQty:
    """Return why so many are moved: all that is lacked, all that can be spared, or an equal marginal return."""
    if qty == lacked:
        return WhyQty.WHOLE_NEED
    return WhyQty.WHOLE_SURPLUS if qty == surplus else WhyQty.SHARED_BY_RETURN


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
