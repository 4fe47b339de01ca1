"""Random-assortment goods: how many of each variant a batch is packed with, and whether what was packed keeps the odds.

The odds are stated to the buyers before they order. A batch is packed to them as nearly as whole units allow; what came
back from the packers is tested against them by an exact goodness-of-fit test.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import comb

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from preorder.config import PreorderConfig
from preorder.plan import CampaignPlan

__all__ = ["assortment_mix", "carton_mix", "odds_p_value"]

_MOST_OUTCOMES = 20_000  # enumerated; beyond it the exact distribution is drawn from
_DRAWS = 20_000
_TIE = 1e-9


def carton_mix(odds: Mapping[str, float], units: int) -> dict[str, int]:
    """Return how many units of each variant to pack, as near to the odds as whole units allow (largest remainder).

    Equal remainders go to the first by name.

    >>> carton_mix({"common": 0.75, "rare": 0.25}, 10)
    {'common': 8, 'rare': 2}
    """
    names = sorted(odds)
    exact = np.array([odds[n] for n in names]) / sum(odds.values()) * units
    counts = np.floor(exact + _TIE).astype(np.int64)
    first = np.argsort(-(exact - counts), kind="stable")[: units - int(counts.sum())]
    counts[first] += 1
    return dict(zip(names, counts.tolist(), strict=True))


def odds_p_value(packed: Mapping[str, int], odds: Mapping[str, float], *, seed: int = 0) -> float:
    """Return the p-value of Pearson's chi-square under the exact multinomial distribution of the stated odds.

    All outcomes are enumerated where they are few; else 20,000 are drawn, and the p-value is ``(1 + as extreme) /
    (1 + drawn)``, which is exact too (Davison & Hinkley 1997, section 4.2). A variant without odds makes it 0.

    >>> round(odds_p_value({"a": 5, "b": 0}, {"a": 0.5, "b": 0.5}), 4)
    0.0625
    """
    if any(units > 0 and odds.get(name, 0.0) <= 0 for name, units in packed.items()):
        return 0.0
    names = [name for name in sorted(odds) if odds[name] > 0]
    p = np.array([odds[n] for n in names], dtype=float)
    p = p / p.sum()
    seen = np.array([packed.get(n, 0) for n in names], dtype=np.int64)
    n, k = int(seen.sum()), len(names)
    if n == 0 or k < 2:
        return 1.0
    limit = _chi_square(seen[None, :], p, n)[0] - _TIE
    if comb(n + k - 1, k - 1) <= _MOST_OUTCOMES:
        outcomes = _compositions(n, k)
        chances = stats.multinomial.pmf(outcomes, n=n, p=p)
        return float(min(chances[_chi_square(outcomes, p, n) >= limit].sum(), 1.0))
    drawn = np.random.default_rng(seed).multinomial(n, p, size=_DRAWS)
    return float((1 + (_chi_square(drawn, p, n) >= limit).sum()) / (1 + _DRAWS))


def _chi_square(counts: npt.NDArray[np.int64], p: npt.NDArray[np.float64], n: int) -> npt.NDArray[np.float64]:
    return np.asarray(((counts - n * p) ** 2 / (n * p)).sum(axis=1), dtype=float)


def _compositions(n: int, k: int) -> npt.NDArray[np.int64]:
    """Every way to write n as k whole numbers from 0 on, shape (ways, k)."""
    if k == 1:
        return np.array([[n]], dtype=np.int64)
    parts = []
    for first in range(n + 1):
        rest = _compositions(n - first, k - 1)
        parts.append(np.column_stack([np.full(len(rest), first, dtype=np.int64), rest]))
    return np.concatenate(parts)


def assortment_mix(plans: list[CampaignPlan], receipts: pd.DataFrame, *, config: PreorderConfig) -> pd.DataFrame:
    """Return the variants of every random-assortment SKU: what to pack tonight, what was packed, whether the odds hold.

    Args:
        plans: of the night.
        receipts: ``campaign_id``, ``sku``, ``received_qty``: packed units arrive under the variant's SKU.
        config: validated settings; ``assortments`` states the odds.

    Returns:
        ``campaign_id``, ``sku``, ``variant_sku``, ``stated_odds``, ``pack_qty``, ``packed_qty``, ``odds_p_value``,
        ``odds_hold`` (null while nothing is packed).
    """
    packed = receipts.dropna(subset=["campaign_id"]).groupby(["campaign_id", "sku"])["received_qty"].sum()
    rows = []
    for plan in plans:
        odds = config.assortments.get(plan.sku)
        if odds is None:
            continue
        batch = carton_mix(odds, plan.size.qty)
        seen = {v: int(packed.get((plan.campaign_id, v), 0)) for v in odds}
        p_value = odds_p_value(seen, odds) if sum(seen.values()) else None
        rows += [
            {"campaign_id": plan.campaign_id, "sku": plan.sku, "variant_sku": variant,
             "stated_odds": odds[variant] / sum(odds.values()), "pack_qty": batch[variant], "packed_qty": seen[variant],
             "odds_p_value": p_value, "odds_hold": None if p_value is None else p_value >= config.odds_significance}
            for variant in sorted(odds)
        ]  # fmt: skip
    columns = ["campaign_id", "sku", "variant_sku", "stated_odds", "pack_qty", "packed_qty", "odds_p_value"]
    return pd.DataFrame(rows, columns=[*columns, "odds_hold"])
