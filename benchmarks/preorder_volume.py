"""Final volume of preorder campaigns, judged as known then: ``python -m benchmarks.preorder_volume [hotel|demo]``.

A snapshot at an instant t sees what was placed and cancelled by t, and the finals of campaigns that closed by t.
Controls, from the same closed campaigns: quantiles of past finals, and additive pick-up quantiles.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from data.demo.bookings import campaign_sample
from preorder.booking_curve import BookingCurve
from preorder.bookings import bookings_of
from preorder.config import PreorderConfig

HOTEL = Path("../shared/data/hotel_bookings/preorders.parquet")
WINDOW_DAYS = 180
LEAST_CLOSED = 8  # closed campaigns of the same hotel
PUBLISHED = np.array([0.1, 0.5, 0.9])  # the levels that batch_plan shows
LEVELS = np.arange(1, 20) / 20
DAY = pd.Timedelta(days=1)


def hotel_campaigns(path: Path = HOTEL) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Items (one hotel's arrival week each) and preorders, in the shape of the contract."""
    rows = pd.read_parquet(path)
    rows = rows.assign(sku=rows["campaign_id"].str.split("-").str[0])
    for column in ("placed", "closes", "cancelled"):
        rows[f"{column}_at"] = pd.to_datetime(rows[f"{column}_on"], utc=True)
    items = rows.groupby(["campaign_id", "sku"], as_index=False)["closes_at"].first()
    items["closes_at"] = items["closes_at"] + DAY  # the close of the day that bears its name
    items["opens_at"] = items["closes_at"] - WINDOW_DAYS * DAY
    return items, rows[["campaign_id", "sku", "placed_at", "cancelled_at", "quantity"]]


def demo_campaigns(n: int, *, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Independent campaigns of the demo shop's simulator, each an SKU of its own, one closing every three days."""
    sample = campaign_sample(n, seed=seed).to_pandas()
    number = np.arange(n)
    length = sample.groupby("campaign")["length_days"].first().to_numpy()
    closes = pd.Timestamp("2020-01-01", tz="UTC") + pd.to_timedelta(3 * number, unit="D")
    opens = closes - pd.to_timedelta(length, unit="D")
    names = [f"C{i:05d}" for i in number]
    items = pd.DataFrame({"campaign_id": names, "sku": names, "opens_at": opens, "closes_at": closes})
    start = pd.Series(opens)[sample["campaign"]].reset_index(drop=True)
    rows = pd.DataFrame(
        {
            "campaign_id": [names[i] for i in sample["campaign"]],
            "sku": [names[i] for i in sample["campaign"]],
            "placed_at": start + pd.to_timedelta(sample["day"], unit="D"),
            "cancelled_at": start + pd.to_timedelta(sample["cancel_day"], unit="D"),
            "quantity": sample["quantity"],
        }
    )
    return items, rows


def judged(items: pd.DataFrame, preorders: pd.DataFrame, *, share: float, first: int, look_back: int,
           config: PreorderConfig | None = None) -> pd.DataFrame:  # fmt: skip
    """One row per campaign: losses of our quantiles and of both controls, and whether the 80% interval held."""
    config = config or PreorderConfig()
    items = items.sort_values(["closes_at", "sku"], ignore_index=True)
    groups = dict(list(preorders.groupby("campaign_id")))
    found = []
    for number, item in enumerate(items.itertuples()):
        window = item.closes_at - item.opens_at
        now = item.closes_at - window * (1 - share)
        seen = items.iloc[max(0, number - look_back) : number + 40]
        seen = seen[seen["opens_at"] <= now]
        closed = seen["closes_at"] <= now
        same = closed & ((seen["sku"] == item.sku) | (items["sku"].nunique() == len(items)))
        if int(same.sum()) < first:
            continue
        rows = pd.concat([groups[c] for c in seen["campaign_id"]], ignore_index=True)
        book = bookings_of(seen, rows, known_until=now, is_closed=closed.to_numpy())
        volume = BookingCurve(book, config=config).final_volume((item.campaign_id, item.sku))
        past = seen[same]
        finals = np.array([_firm(groups[c.campaign_id], c.closes_at) for c in past.itertuples()])
        then = np.array([_firm(groups[c.campaign_id], c.closes_at - (c.closes_at - c.opens_at) * (1 - share))
                         for c in past.itertuples()])  # fmt: skip
        truth = _firm(groups[item.campaign_id], item.closes_at)
        answers = {"ours": volume, "finals": finals, "pick_up": _firm(groups[item.campaign_id], now) + finals - then}
        low, high = np.quantile(volume, [0.1, 0.9])
        row = {"campaign_id": item.campaign_id, "sku": item.sku, "closes_at": item.closes_at, "truth": truth,
               "median": float(np.median(volume)), "inside": bool(low <= truth <= high)}  # fmt: skip
        for name, outcomes in answers.items():
            row[name] = pinball(np.quantile(outcomes, LEVELS), truth, LEVELS)
            row[f"{name}_published"] = pinball(np.quantile(outcomes, PUBLISHED), truth, PUBLISHED)
        found.append(row)
    return pd.DataFrame(found)


def _firm(rows: pd.DataFrame, instant: pd.Timestamp) -> float:
    kept = (rows["placed_at"] <= instant) & ~(rows["cancelled_at"] <= instant)
    return float(rows.loc[kept, "quantity"].sum())


def pinball(quantiles: np.ndarray, truth: float, levels: np.ndarray) -> float:
    """Mean pinball loss over the levels."""
    miss = truth - quantiles
    return float(np.maximum(levels * miss, (levels - 1) * miss).mean())


def band(n: int) -> tuple[float, float]:
    """The exact central 95% band of a share of 80% among n."""
    low, high = stats.binom.ppf([0.025, 0.975], n, 0.8) / n
    return float(low), float(high)


def summary(rows: pd.DataFrame, title: str) -> dict[str, float]:
    """Print and return the figures of one group."""
    figures = {}
    for tail in ("", "_published"):
        mean = rows[[f"ours{tail}", f"finals{tail}", f"pick_up{tail}"]].mean()
        better = min(mean[f"finals{tail}"], mean[f"pick_up{tail}"])
        figures[f"gain{tail}"] = 1 - mean[f"ours{tail}"] / better
        print(f"  {title:26} {'19 levels' if not tail else 'p10 p50 p90':12} ours {mean[f'ours{tail}']:7.2f}  "
              f"finals {mean[f'finals{tail}']:7.2f}  pick-up {mean[f'pick_up{tail}']:7.2f}  "
              f"{figures[f'gain{tail}']:+.1%} below the better")  # fmt: skip
    low, high = band(len(rows))
    figures["coverage"] = float(rows["inside"].mean())
    print(f"  {title:26} 80% interval holds {figures['coverage']:.1%} of {len(rows)} (band {low:.1%} to {high:.1%})")
    return figures


def main() -> None:
    """Run what the command line names; both without an argument."""
    wanted = sys.argv[1:] or ["hotel", "demo"]
    if "hotel" in wanted and HOTEL.exists():
        items, preorders = hotel_campaigns()
        for share in (0.25, 0.5):
            rows = judged(items, preorders, share=share, first=LEAST_CLOSED, look_back=10_000)
            second = rows["closes_at"] >= pd.Timestamp("2016-07-01", tz="UTC")
            print(f"hotel_bookings, {share:.0%} of the window")
            summary(rows[~second], "chosen on, to 2016-06")
            summary(rows[second], "reported, from 2016-07")
            for sku, group in rows[second].groupby("sku"):
                summary(group, f"  of them {sku}")
    if "demo" in wanted:
        for share in (0.25, 0.5):
            items, preorders = demo_campaigns(1_300, seed=11)
            rows = judged(items, preorders, share=share, first=30, look_back=250)
            print(f"demo campaigns, {share:.0%} of the window")
            summary(rows, "all")


if __name__ == "__main__":
    main()
