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
from preorder.bookings import bookings_of, snapshot
from preorder.config import PreorderConfig

HOTEL = Path("../shared/data/hotel_bookings/preorders.parquet")
WINDOW_DAYS = 180
SECOND_HALF = pd.Timestamp("2016-07-01", tz="UTC")
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


def demo_campaigns(n_closed: int, n_open: int, *, share: float, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Independent campaigns of the demo shop's simulator, each an SKU of its own.

    One closes every three days up to 2025; the open ones have all run for ``share`` of their window on that day.
    """
    sample = campaign_sample(n_closed + n_open, seed=seed).to_pandas()
    length = pd.to_timedelta(sample.groupby("campaign")["length_days"].first().to_numpy(), unit="D")
    today = pd.Timestamp("2025-01-01", tz="UTC")
    is_open = np.arange(n_closed + n_open) >= n_closed
    before = today - pd.to_timedelta(3 * np.arange(n_closed, -n_open, -1).clip(1), unit="D")
    names = np.array([f"C{i:05d}" for i in range(n_closed + n_open)])
    closes = pd.Series(before).where(~is_open, pd.Series(today + length * (1 - share)))
    opens = closes - length
    items = pd.DataFrame({"campaign_id": names, "sku": names, "opens_at": opens, "closes_at": closes})
    start = opens[sample["campaign"]].reset_index(drop=True)
    rows = pd.DataFrame(
        {
            "campaign_id": names[sample["campaign"]],
            "sku": names[sample["campaign"]],
            "placed_at": start + pd.to_timedelta(sample["day"], unit="D"),
            "cancelled_at": start + pd.to_timedelta(sample["cancel_day"], unit="D"),
            "quantity": sample["quantity"],
        }
    )
    return items, rows


def judged(
    items: pd.DataFrame, preorders: pd.DataFrame, *, share: float, first: int, since: pd.Timestamp | None = None,
    by_sku: bool = True, config: PreorderConfig | None = None,
) -> pd.DataFrame:  # fmt: skip
    """One row per campaign: losses of our quantiles and of both controls, and whether the 80% interval held.

    Args:
        items: campaigns.
        preorders: of these campaigns.
        share: of the window has run when a campaign is judged.
        first: closed campaigns (of the same SKU) needed.
        since: judge campaigns that close from then on.
        by_sku: controls learn from the same SKU; False: from all.
        config: settings of the room.
    """
    config = config or PreorderConfig()
    items = items.sort_values(["closes_at", "sku"], ignore_index=True)
    items = items.assign(now=items["closes_at"] - (items["closes_at"] - items["opens_at"]) * (1 - share))
    whole = bookings_of(items, preorders, known_until=items["closes_at"].max(), is_closed=np.ones(len(items), bool))
    order = pd.Series(range(len(whole.keys)), index=[c for c, _ in whole.keys])[items["campaign_id"]].to_numpy()
    finals = pd.Series(snapshot(whole, whole.closes).firm[order])
    thens = pd.Series(snapshot(whole, whole.closes - (1 - share) * whole.window).firm[order])
    found = []
    for now, wanted in items.groupby("now"):
        if since is not None and wanted["closes_at"].max() < since:
            continue
        closed = items["closes_at"] <= now
        seen = items[items["opens_at"] <= now]
        enough = [w for w in wanted.itertuples() if (closed & ((items["sku"] == w.sku) | (not by_sku))).sum() >= first]
        if not enough:
            continue
        book = bookings_of(seen, preorders[preorders["placed_at"] <= now], known_until=now,
                           is_closed=closed[seen.index].to_numpy())  # fmt: skip
        curve = BookingCurve(book, config=config)
        for item in enough:
            same = closed & ((items["sku"] == item.sku) | (not by_sku))
            answers = {"ours": curve.final_volume((item.campaign_id, item.sku)), "finals": finals[same].to_numpy(),
                       "pick_up": thens[item.Index] + (finals - thens)[same].to_numpy()}  # fmt: skip
            found.append({"campaign_id": item.campaign_id, "sku": item.sku, "closes_at": item.closes_at,
                          **_losses(answers, float(finals[item.Index]))})  # fmt: skip
    rows = pd.DataFrame(found)
    return rows if since is None or rows.empty else rows[rows["closes_at"] >= since]


def _losses(answers: dict[str, np.ndarray], truth: float) -> dict[str, float | bool]:
    low, high = np.quantile(answers["ours"], [0.1, 0.9])
    row: dict[str, float | bool] = {"truth": truth, "inside": bool(low <= truth <= high)}
    for name, outcomes in answers.items():
        row[name] = pinball(np.quantile(outcomes, LEVELS), truth, LEVELS)
        row[f"{name}_published"] = pinball(np.quantile(outcomes, PUBLISHED), truth, PUBLISHED)
    return row


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
            rows = judged(items, preorders, share=share, first=LEAST_CLOSED)
            second = rows["closes_at"] >= SECOND_HALF
            print(f"hotel_bookings, {share:.0%} of the window")
            summary(rows[~second], "chosen on, to 2016-06")
            summary(rows[second], "reported, from 2016-07")
            for sku, group in rows[second].groupby("sku"):
                summary(group, f"  of them {sku}")
    if "demo" in wanted:
        for n_closed in (5, 30, 200, 500):
            for share in (0.25, 0.5):
                parts = [judged(*demo_campaigns(n_closed, 50 if n_closed < 200 else 250, share=share, seed=seed),
                                share=share, first=1, by_sku=False, since=pd.Timestamp("2025-01-02", tz="UTC"))
                         for seed in range(24 if n_closed < 200 else 5)]  # fmt: skip
                print(f"demo campaigns, {n_closed} closed before, {share:.0%} of the window")
                summary(pd.concat(parts), "all")


if __name__ == "__main__":
    main()
