"""Who gets what when supply is short: first come, uniform, pro rata or lottery; whole units.

Every rule works on identities, so that an order split over several preorders gains nothing, hands out
``min(supply, sum of claims)`` units, and gives nobody more than they claim. All arithmetic is in integers.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["Rule", "allocate", "in_order", "lottery_rank", "pro_rata", "seed_matches", "tickets", "uniform"]

Units = npt.NDArray[np.int64]


class Rule(StrEnum):
    """How short supply is shared out."""

    FIFO = "fifo"
    UNIFORM = "uniform"
    PRO_RATA = "pro_rata"
    LOTTERY = "lottery"


def in_order(claims: Units, supply: int) -> Units:
    """Return units served in the order of the array: each claim in full until supply ends.

    >>> in_order(np.array([3, 4, 5]), 6).tolist()
    [3, 3, 0]
    """
    before = np.cumsum(claims) - claims
    return np.asarray(np.clip(supply - before, 0, claims), dtype=np.int64)


def uniform(claims: Units, supply: int) -> Units:
    """Return the max-min fair share: everyone up to one level; what is left, one unit each from the first on.

    An inflated claim gains nothing (Sprumont 1991).

    >>> uniform(np.array([1, 5, 9]), 10).tolist()
    [1, 5, 4]
    """
    if supply >= int(claims.sum()):
        return claims.copy()
    low, high = 0, int(claims.max(initial=0))
    while low < high:  # the greatest level whose total stays within supply
        middle = (low + high + 1) // 2
        if int(np.minimum(claims, middle).sum()) <= supply:
            low = middle
        else:
            high = middle - 1
    shares = np.minimum(claims, low)
    return np.asarray(shares + in_order((claims > low).astype(np.int64), supply - int(shares.sum())), dtype=np.int64)


def pro_rata(claims: Units, supply: int) -> Units:
    """Return shares in proportion to the claims, whole units by the largest remainder (Hamilton).

    Equal remainders are served from the first on.

    >>> pro_rata(np.array([1, 2, 4]), 5).tolist()
    [1, 1, 3]
    """
    total = int(claims.sum())
    if supply >= total:
        return claims.copy()
    shares = claims * supply // total
    remainder = claims * supply % total
    left = supply - int(shares.sum())
    first = np.argsort(-remainder, kind="stable")[:left]
    shares[first] += 1
    return np.asarray(shares, dtype=np.int64)


def lottery_rank(seed: str, preorder_id: str, ledger_root: str) -> str:
    """Return the draw of a preorder: HMAC-SHA256 of the seed over ``preorder_id|ledger_root``; the smallest wins.

    The seed is committed to before the campaign and published after the root, so anyone can check the order.

    >>> lottery_rank("seed", "P-1", "root")[:8]
    'afd62706'
    """
    return hmac.new(seed.encode(), f"{preorder_id}|{ledger_root}".encode(), hashlib.sha256).hexdigest()


def tickets(claims: pd.DataFrame) -> pd.Series:
    """Return the ticket each claim draws with: the first preorder of its identity, cancelled ones included.

    One identity has one ticket, however many preorders it places, and keeps it whatever it cancels later.

    Args:
        claims: ``preorder_id``, ``identity``, ``placed_at``.
    """
    ordered = claims.sort_values(["placed_at", "preorder_id"], kind="stable")
    return ordered.groupby("identity", sort=False)["preorder_id"].transform("first").reindex(claims.index)


def seed_matches(seed: str, commitment: str) -> bool:
    """Return whether ``commitment`` is the SHA-256 of ``seed``, in hexadecimal.

    >>> seed_matches("a", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb")
    True
    """
    return hmac.compare_digest(hashlib.sha256(seed.encode()).hexdigest(), commitment.strip().lower())


def allocate(claims: pd.DataFrame, supply: int, *, rule: Rule, seed: str = "", ledger_root: str = "") -> pd.Series:
    """Return the units allocated to each claim of one campaign and SKU.

    Args:
        claims: ``preorder_id``, ``identity``, ``placed_at``, ``claim`` [units, non-negative integers].
        supply: units to hand out, 0 or more [units].
        rule: how. The lottery draws one ticket per identity, in the name of its first preorder.
        seed: revealed seed of the lottery.
        ledger_root: published root of the ledger.

    Returns:
        Same index, ``int64``: never above the claim; sums to ``min(supply, claims)``.

    Raises:
        ValueError: a negative claim or supply.

    Example:
        >>> claims = pd.DataFrame({"preorder_id": ["a", "b", "c"], "identity": ["x", "x", "y"],
        ...     "placed_at": pd.to_datetime([1, 2, 3], utc=True), "claim": [2, 2, 2]})
        >>> allocate(claims, 3, rule=Rule.UNIFORM).tolist()
        [2, 0, 1]
    """
    if supply < 0 or (claims["claim"] < 0).any():
        raise ValueError(f"claims and supply are never negative; supply {supply}, claims {claims['claim'].min()}")
    ordered = claims.sort_values(["placed_at", "preorder_id"], kind="stable")
    units = ordered["claim"].to_numpy(dtype=np.int64)
    if rule is Rule.FIFO:
        return pd.Series(in_order(units, supply), index=ordered.index).reindex(claims.index)
    codes, people = pd.factorize(ordered["identity"])  # in order of their first preorder
    totals = np.bincount(codes, weights=units, minlength=len(people)).astype(np.int64)
    if rule is Rule.LOTTERY:
        first = ordered["preorder_id"].to_numpy()[np.unique(codes, return_index=True)[1]]
        draw = np.argsort(np.array([lottery_rank(seed, str(p), ledger_root) for p in first]), kind="stable")
        shares = np.zeros_like(totals)
        shares[draw] = in_order(totals[draw], supply)
    else:
        rules: dict[Rule, Callable[[Units, int], Units]] = {Rule.UNIFORM: uniform, Rule.PRO_RATA: pro_rata}
        shares = rules[rule](totals, supply)
    before = pd.Series(units).groupby(codes).cumsum().to_numpy() - units
    served = np.clip(shares[codes] - before, 0, units)
    return pd.Series(served.astype(np.int64), index=ordered.index).reindex(claims.index)
