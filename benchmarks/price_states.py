"""Price suggestions on states nobody would think of, and how fast a large shop is priced.

    python -m benchmarks.price_states [states] [nights]

States are drawn with everything that may be wrong: not a number, infinite, zero, negative, a thousandfold; prices that
start outside their bounds; all SKUs moving at once. Each is priced over three nights in a row under a random book of a
few, and what may never happen is counted. Then 100,000 SKUs are priced once, with time and memory.
"""

from __future__ import annotations

import resource
import sys
import time
from datetime import date, timedelta

import numpy as np
import pandas as pd

from pricing.book import load_book
from pricing.config import PricingConfig
from pricing.guardrails import Cents, floor_for_margin, to_cents
from pricing.lines import LINE_COLUMNS
from pricing.rules import RuleBook
from pricing.suggest import priceable, suggest_prices

__all__ = ["broken_promises", "random_states"]

_DAY = date(2026, 6, 28)
_CHUNK = 25_000
_NIGHTS = 3
_RULES = """
  - {id: tune, type: optimise, when: {all: true}, within_percent: 20}
  - {id: near, type: match_competitor, when: {min_on_hand: 1}, within_percent: 30}
  - {id: rungs, type: ladder, when: {min_price: 1}, by: size, rungs: [{values: [L], percent: 30}]}
  - {id: new, type: launch_price, when: {max_age_days: 40}, days: 21, percent: 20}
  - {id: slow, type: markdown, when: {min_days_of_cover: 100}, percent: 60}
  - {id: hot, type: markup, when: {min_trend_heat: 0.4}, percent: 50}
  - {id: gone, type: clearance, when: {max_days_to_end_of_sale: 45}, start_days: 45, percent_at_end: 80}
"""
_BOOKS = (
    "{min_margin_percent: 15, max_change_percent_per_day: 10, max_change_percent_per_30_days: 25, price_ending: 0.9}",
    "{min_margin_percent: 0, max_change_percent_per_day: 3, cooldown_days: 7, family_band_percent: 10}",
    (
        "{min_margin_percent: 30, max_change_percent_per_day: 20, max_percent_of_list_price: 120, "
        "min_percent_of_list_price: 60, price_step: 0.5, max_changed_percent_per_night: 10, one_price_per_style: true}"
    ),
)
_ODD = np.array([np.nan, np.inf, -np.inf, 0.0, -1.0, 1e-9, 1e12, 1e308])
_NUMBERS = tuple(
    c
    for c in LINE_COLUMNS
    if c.endswith(
        (
            "price",
            "cost",
            "value",
            "days",
            "units",
            "sd",
            "mean",
            "median",
            "cover",
            "hand",
            "heat",
            "share",
            "lo",
            "hi",
        )
    )
    or c in ("elasticity", "lowest_price_30_days", "highest_price_30_days", "days_to_end_of_sale")
)


def random_states(n: int, *, seed: int, odd_share: float = 0.04) -> pd.DataFrame:
    """Return lines in states drawn at random, each number odd with a small probability."""
    rng = np.random.default_rng(seed)
    price = np.round(np.exp(rng.normal(3.5, 1.2, n)), 2)
    price = np.where(rng.random(n) < 0.7, price[np.arange(n) // 3 * 3], price)  # most SKUs of a style have one price
    cover = np.exp(rng.normal(4, 1.5, n))
    demand = np.exp(rng.normal(2, 1.5, n)) * rng.choice([1, 1, 1, 1000], n)
    usual = {
        "current_price": price, "regular_price": price, "list_price": price * rng.uniform(0.6, 1.5, n),
        "reference_price": price, "unit_cost": price * rng.uniform(0.2, 1.3, n),
        "salvage_value": price * rng.uniform(0, 0.5, n), "licensor_min_price": price * rng.uniform(0.2, 1.2, n),
        "royalty_share": rng.uniform(0, 0.2, n), "competitor_median": price * rng.uniform(0.3, 3, n),
        "lowest_price_30_days": price * rng.uniform(0.7, 1, n), "highest_price_30_days": price * rng.uniform(1, 1.3, n),
        "family_price": price * rng.uniform(0.8, 1.2, n), "days_since_change": rng.integers(0, 60, n).astype(float),
        "on_hand": demand * cover / 28, "supply_units": demand * cover / 28, "units_mean": demand,
        "units_sd": demand * 0.4, "weekly_units": demand / 4, "recent_units": demand / 28, "days_of_cover": cover,
        "age_days": rng.integers(0, 500, n).astype(float), "days_to_end_of_sale": rng.integers(0, 400, n).astype(float),
        "reorder_days": rng.uniform(5, 60, n), "guaranteed_units": rng.uniform(0, 5, n), "guaranteed_price": price,
        "trend_heat": rng.normal(0, 0.5, n), "elasticity": -np.exp(rng.normal(0.7, 0.4, n)),
        "curvature": rng.choice([0.0, 0.0, 1.0, 3.0], n),
    }  # fmt: skip
    usual["elasticity_lo"], usual["elasticity_hi"] = usual["elasticity"] - 0.7, usual["elasticity"] + 0.5
    usual["override_price"] = np.where(rng.random(n) < 0.02, price * rng.uniform(0.1, 10, n), np.nan)
    usual["switchback_price"] = np.where(rng.random(n) < 0.02, price * rng.uniform(0.3, 3, n), np.nan)
    for name in usual:
        odd = rng.random(n) < odd_share
        usual[name] = np.where(odd, rng.choice(_ODD, n), usual[name])
    frame = pd.DataFrame({c: usual.get(c) for c in LINE_COLUMNS}, columns=list(LINE_COLUMNS))
    return frame.assign(
        sku=[f"S{i:07d}" for i in range(n)], location_id="web", channel="*", elasticity_level="sku",
        style_id=[f"Y{i // 3:07d}" for i in range(n)], size=np.where(np.arange(n) % 3 == 0, "L", "S"), category="c",
        switchback_level=np.where(np.isfinite(usual["switchback_price"]), "higher", None),
        has_planned_price=rng.random(n) < 0.03, is_held=rng.random(n) < 0.03,
    )  # fmt: skip


def _book(number: int) -> RuleBook:
    return load_book(f"version: 1\ncurrency: CNY\nguardrails: {_BOOKS[number]}\nrules:{_RULES}")


def broken_promises(
    states: pd.DataFrame, number: int, *, config: PricingConfig, nights: int = _NIGHTS
) -> dict[str, int]:
    """Return how often each promise is broken over some nights in a row; all zero is what must come out."""
    book, found, lines = _book(number), dict.fromkeys(_PROMISES, 0), states
    for night in range(nights):
        table = suggest_prices(lines, book, run_date=_DAY + timedelta(days=night), config=config)
        kept = lines[priceable(lines)].reset_index(drop=True)
        for name, broken in _checks(kept, table, book).items():
            found[name] += int(broken.sum())
        found["missing cost gets no suggestion"] += int(len(table) != int(priceable(lines).sum()))
        new = table["suggested_price"].to_numpy(dtype=float)
        lines = kept.assign(
            current_price=new,
            lowest_price_30_days=np.fmin(kept["lowest_price_30_days"].to_numpy(dtype=float), new),
            highest_price_30_days=np.fmax(kept["highest_price_30_days"].to_numpy(dtype=float), new),
        )
    return found


_PROMISES = (
    "finite and above zero",
    "no automatic price below its cost floor",
    "no automatic price below the licensor's minimum",
    "no automatic move above the daily cap",
    "no automatic move beyond the cap of 30 days",
    "a price outside a hard bound only moves toward it",
    "share of lines changed under its cap",
    "missing cost gets no suggestion",
)


def _checks(lines: pd.DataFrame, table: pd.DataFrame, book: RuleBook) -> dict[str, np.ndarray]:
    rails = book.guardrails
    old, new = (to_cents(table[c].to_numpy(dtype=float)) for c in ("current_price", "suggested_price"))
    automatic = ((table["status"] == "auto") & (new != old)).to_numpy()
    cost = lines["unit_cost"].to_numpy(dtype=float)
    floor = floor_for_margin(cost, np.full(len(lines), rails.min_margin_percent))
    licensor = lines["licensor_min_price"].to_numpy(dtype=float)
    licensor = floor_for_margin(np.where(licensor < 1e9, licensor, np.nan), np.zeros(len(lines)))
    cap, month = rails.max_change_percent_per_day, rails.max_change_percent_per_30_days
    lowest, highest = (to_cents(lines[f"{w}_price_30_days"].to_numpy(dtype=float)) for w in ("lowest", "highest"))
    outside = old < floor
    share = rails.max_changed_percent_per_night
    free = (new != old) & ~outside & (old >= licensor) & lines["override_price"].isna().to_numpy()
    over = share is not None and automatic.sum() > len(lines) * share / 100 and free.sum() > len(lines) * share / 100
    return {
        "finite and above zero": ~(np.isfinite(table["suggested_price"].to_numpy(dtype=float)) & (new > 0)),
        "no automatic price below its cost floor": automatic
        & (new < floor)
        & (table["approval_level"].isna()).to_numpy(),
        "no automatic price below the licensor's minimum": automatic & (new < licensor),
        "no automatic move above the daily cap": automatic & (np.abs(new - old) * 100 > cap * old + 1e-6),
        "no automatic move beyond the cap of 30 days": automatic & _beyond(old, new, lowest, highest, month),
        "a price outside a hard bound only moves toward it": automatic & outside & (new < old),
        "share of lines changed under its cap": np.array([over]),
    }


def _beyond(old: Cents, new: Cents, lowest: Cents, highest: Cents, percent: float | None) -> np.ndarray:
    """Moves that go further than so many percent from a price of the last 30 days; a way back is none."""
    if percent is None:
        return np.zeros(len(old), dtype=bool)
    up = (new > old) & (lowest > 0) & (new * 100 > np.maximum(lowest * (100 + percent), old * 100) + 1e-6)
    down = (new < old) & (highest > 0) & (new * 100 < np.minimum(highest * (100 - percent), old * 100) - 1e-6)
    return np.asarray(up | down)


def main() -> None:
    """Print the figures."""
    total = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    nights = int(sys.argv[2]) if len(sys.argv) > 2 else _NIGHTS
    config, found = PricingConfig(), dict.fromkeys(_PROMISES, 0)
    for chunk in range(0, total, _CHUNK):
        states = random_states(min(_CHUNK, total - chunk), seed=chunk + 7)
        for name, count in broken_promises(
            states, (chunk // _CHUNK) % len(_BOOKS), config=config, nights=nights
        ).items():
            found[name] += count
    print(
        f"{total:,} states over {nights} nights each: "
        + "; ".join(f"{name}: {count} broken" for name, count in found.items())
    )
    states = random_states(100_000, seed=1, odd_share=0.0)
    started = time.process_time()
    table = suggest_prices(states, _book(0), run_date=_DAY, config=config)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    moved = int((table["suggested_price"] != table["current_price"]).sum())
    print(f"100,000 SKUs priced in {time.process_time() - started:.1f} s of CPU, {moved:,} moved, peak {memory:.2f} GB")


if __name__ == "__main__":
    main()
