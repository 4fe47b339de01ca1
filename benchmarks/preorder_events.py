"""Random preorder events, night by night, against the rules: ``python -m benchmarks.preorder_events [events]``.

The simulator only records what happened, as a shop's export would: preorders, cancellations (before and after the
allocation, now and then after the shipment), moves of campaigns (some illegal), short and late receipts, shipments.
After each event every unit received is shipped, reserved for a buyer or free, and every unit placed stands or is
cancelled. Each night the ledger and the plan are made anew from those records, as the nightly steps do, and checked:
nothing is allocated that has not been received, nothing is negative, every unit is accounted for, caps hold, what has
been shipped stays with its buyer, and the ledger's root does not move after the close. Beside it small shops make and
check the whole plan after every single event. The seed replays all of it exactly.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections import Counter
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from preorder.campaigns import campaign_histories
from preorder.config import PreorderConfig
from preorder.ledger import preorder_ledger
from preorder.plan import PlanInputs, campaign_plans
from preorder.tables import PlanTables, plan_tables

START = pd.Timestamp("2026-01-01", tz="UTC")
RULES = ("fifo", "uniform", "pro_rata", "lottery")
CHAIN = ("open", "closed", "committed", "in_production", "received", "allocated", "shipped", "cancelled")
CONFIG = PreorderConfig()


class Account:
    """Where every unit of each campaign is, kept up event by event between the nights."""

    def __init__(self) -> None:
        self.placed, self.standing, self.cancelled = Counter[str](), Counter[str](), Counter[str]()
        self.received, self.free, self.shipped = Counter[str](), Counter[str](), Counter[str]()
        self.reserved = Counter[str]()  # by campaign
        self.held: dict[str, int] = {}  # by preorder: reserved and not shipped

    def place(self, campaign: str, units: int) -> None:
        """Units are wanted."""
        self.placed[campaign] += units
        self.standing[campaign] += units
        self.check(campaign)

    def cancel(self, campaign: str, preorder: str, units: int) -> None:
        """Units are not wanted any more; what was reserved for them is free."""
        self.standing[campaign] -= units
        self.cancelled[campaign] += units
        freed = self.held.pop(preorder, 0)
        self.reserved[campaign] -= freed
        self.free[campaign] += freed
        self.check(campaign)

    def receive(self, campaign: str, units: int) -> None:
        """Units arrive, free until the night hands them out."""
        self.received[campaign] += units
        self.free[campaign] += units
        self.check(campaign)

    def ship(self, campaign: str, preorder: str, units: int) -> None:
        """Units leave the house: reserved ones, or free ones where their buyer cancelled since the night."""
        own = min(self.held.get(preorder, 0), units)
        self.held[preorder] = self.held.get(preorder, 0) - own
        self.reserved[campaign] -= own
        self.free[campaign] -= units - own
        self.shipped[campaign] += units
        self.check(campaign)

    def night(self, rows: pd.DataFrame, shipped: Counter[str]) -> None:
        """Take over what the night reserved for whom; nobody has more than is there."""
        held = (rows["allocated_qty"] - rows["preorder_id"].map(shipped).fillna(0).astype(int)).clip(lower=0)
        self.held = dict(zip(rows["preorder_id"], held.tolist(), strict=True))
        reserved = held.groupby(rows["campaign_id"]).sum()
        for campaign in self.received:
            self.reserved[campaign] = int(reserved.get(campaign, 0))
            self.free[campaign] = self.received[campaign] - self.shipped[campaign] - self.reserved[campaign]
            self.check(campaign)

    def check(self, c: str) -> None:
        """Every unit is somewhere, and nowhere are less than none."""
        assert self.received[c] == self.shipped[c] + self.reserved[c] + self.free[c], f"units of {c} lost"
        assert self.placed[c] == self.standing[c] + self.cancelled[c], f"preordered units of {c} lost"
        assert min(self.free[c], self.reserved[c], self.standing[c]) >= 0, f"oversold: {c} has less than no units"


class PreorderShop:
    """Records of a shop with a few campaigns; ``night`` plans and checks them."""

    def __init__(self, seed: int, *, n_campaigns: int = 4, min_batch: int = 20, max_batch: int | None = 400) -> None:
        self.rng = np.random.default_rng(seed)
        self.day, self.events = 0, 0
        self.is_step_by_step = False
        self.preorders: list[list[object]] = []  # preorder, campaign, placed, cancelled, quantity, buyer
        self.moves: list[tuple[str, str, pd.Timestamp, str | None, str | None]] = []
        self.received: list[tuple[str, int, int]] = []  # campaign, day, units
        self.shipped: Counter[str] = Counter()
        self.roots: dict[str, str] = {}
        self.last: PlanTables | None = None
        self.account = Account()
        names = [f"C{i}" for i in range(n_campaigns)]
        self.seeds = {c: f"{seed}-{c}" for c in names}
        length = self.rng.integers(5, 20, n_campaigns)
        self.terms = pd.DataFrame(
            {"campaign_id": names, "sku": [f"S{i}" for i in range(n_campaigns)], "opens_at": START,
             "closes_at": START + pd.to_timedelta(length, unit="D"), "promised_date": pd.Timestamp("2026-03-01"),
             "min_batch_qty": min_batch, "max_batch_qty": pd.array([max_batch] * n_campaigns, dtype="Int64"),
             "latest_extension_date": pd.NaT, "cancel_cost": 0.0,
             "identity_cap": pd.array(self.rng.choice([3, 6, 12], n_campaigns), dtype="Int64"),
             "allocation": [RULES[i % 4] for i in range(n_campaigns)], "price": 20.0, "deposit": 5.0,
             "cancellable": True}
        )  # fmt: skip
        for c in names:
            self.moves.append((c, "open", START, hashlib.sha256(self.seeds[c].encode()).hexdigest(), None))

    def place(self, campaign: int, quantity: int, buyer: int | None) -> None:
        """A preorder is placed, be the campaign open or not."""
        at = self._instant(int(self.rng.integers(86_400)))
        self.preorders.append([f"P{len(self.preorders):07d}", f"C{campaign}", at, pd.NaT, quantity,
                               None if buyer is None else f"b{buyer}"])  # fmt: skip
        self.account.place(f"C{campaign}", quantity)
        self.events += 1

    def cancel(self, number: int) -> None:
        """A preorder is cancelled, whatever has become of it."""
        if self.preorders:
            row = self.preorders[number % len(self.preorders)]
            if pd.isna(row[3]):
                row[3] = max(self._instant(86_340), row[2])  # type: ignore[type-var]
                self.account.cancel(str(row[1]), str(row[0]), int(row[4]))  # type: ignore[call-overload]
        self.events += 1

    def move(self, campaign: int, state: str) -> None:
        """The campaign moves, legally or not; its seed is revealed once the batch is received."""
        at = self._instant(len(self.moves))
        name = f"C{campaign}"
        self.moves.append((name, state, at, None, self.seeds[name] if state == "received" else None))
        self.events += 1

    def _instant(self, second: int) -> pd.Timestamp:
        """The second of today, or, where a plan is made after each event, a second later than the event before."""
        return START + pd.Timedelta(days=self.day, seconds=self.events if self.is_step_by_step else second)

    def receive(self, campaign: int, units: int) -> None:
        """Units of the batch arrive."""
        self.received.append((f"C{campaign}", self.day, units))
        self.account.receive(f"C{campaign}", units)
        self.events += 1

    def ship(self, share: float) -> None:
        """Some of what the last night allocated leaves the house."""
        if self.last is None:
            return
        rows = self.last.preorder_allocations
        rows = rows[rows["allocated_qty"] > 0]
        for row in rows[self.rng.random(len(rows)) < share].itertuples():
            more = max(int(row.allocated_qty) - self.shipped[row.preorder_id], 0)
            self.shipped[row.preorder_id] += more
            self.account.ship(row.campaign_id, row.preorder_id, more)
            self.events += 1

    def night(self, *, passes: bool = True) -> PlanTables | None:
        """Plan at the close of the day, check, and go on to the next (``passes``: else the day goes on)."""
        if not self.preorders:
            self.day += passes
            return None
        inputs = self._inputs()
        tables = plan_tables(campaign_plans(inputs, config=CONFIG), inputs, config=CONFIG)
        self._check(tables, inputs)
        self.account.night(tables.preorder_allocations, self.shipped)
        self.last = tables
        self.day += passes
        return tables

    def _inputs(self) -> PlanInputs:
        now = self._instant(86_400)
        columns = ["preorder_id", "campaign_id", "placed_at", "cancelled_at", "quantity", "buyer_ref"]
        rows = pd.DataFrame(self.preorders, columns=columns)
        rows = rows.assign(sku="S" + rows["campaign_id"].str[1:], location_id="main",
                           cancelled_at=pd.to_datetime(rows["cancelled_at"], utc=True))  # fmt: skip
        events = pd.DataFrame(self.moves, columns=["campaign_id", "state", "at", "seed_commitment", "seed"])
        histories = campaign_histories(self.terms["campaign_id"], events.assign(ledger_root=None))
        shipped = pd.Series(dict(self.shipped), dtype="int64")
        before = pd.Series(dtype="int64")
        if self.last is not None:
            before = self.last.preorder_allocations.set_index("preorder_id")["allocated_qty"]
        ledger = preorder_ledger(rows, self.terms, histories, shipped, before, known_until=now, config=CONFIG)
        receipts = pd.DataFrame(
            [{"po_id": f"PO-{c}-{day}", "sku": "S" + c[1:], "supplier_id": "A", "campaign_id": c, "received_qty": units,
              "ordered_date": pd.Timestamp("2026-01-01"), "received_date": pd.Timestamp("2026-01-02")
              + pd.Timedelta(days=day)} for c, day, units in self.received],
            columns=["po_id", "sku", "supplier_id", "campaign_id", "received_qty", "ordered_date", "received_date"],
        )  # fmt: skip
        orders = pd.DataFrame(
            columns=["po_id", "sku", "supplier_id", "campaign_id", "ordered_date", "expected_receipt_date", "open_qty"]
        )
        skus = self.terms["sku"]
        return PlanInputs(
            ledger=ledger, campaigns=self.terms, histories=histories,
            tiers=pd.DataFrame(columns=["campaign_id", "sku", "from_qty", "unit_cost", "setup_cost"]),
            receipts=receipts, purchase_orders=orders,
            supply=pd.DataFrame({"sku": skus, "supplier_id": "A", "lead_time_days": 20.0, "lead_time_sd_days": 2.0,
                                 "unit_cost": 9.0}),
            products=pd.DataFrame({"sku": skus, "salvage_value": 2.0}), shipped=shipped,
            late_ratios=pd.Series(dtype=float), on_sale=frozenset(), run_date=(START + timedelta(days=self.day)).date(),
            previous=None if self.last is None else self.last.preorder_allocations, known_until=now,
            timezone=ZoneInfo("UTC"),
        )  # fmt: skip

    def _check(self, tables: PlanTables, inputs: PlanInputs) -> None:
        rows, ledger = tables.preorder_allocations, inputs.ledger
        counts = rows[["claimed_qty", "allocated_qty", "backlog_qty", "quantity"]]
        assert (counts >= 0).all(axis=None), "negative units"
        assert (rows["claimed_qty"] == rows["allocated_qty"] + rows["backlog_qty"]).all(), "units lost"
        assert (ledger["firm_qty"] <= ledger["quantity"]).all(), "claims above what was placed"
        assert len(ledger) == len(self.preorders), "preorders lost"
        assert (ledger.loc[ledger["cancelled_at"].notna(), "firm_qty"] == 0).all(), "a cancelled preorder claims"
        supply = Counter[str]()
        for campaign, _, units in self.received:
            supply[campaign] += units
        gone = rows["preorder_id"].map(self.shipped).fillna(0).astype(int)
        past_claim = (gone - rows["claimed_qty"]).clip(lower=0)  # shipped, and cancelled afterwards
        handed = (rows["allocated_qty"] + past_claim).groupby(rows["campaign_id"]).sum()
        for campaign, units in handed.items():
            assert units <= supply[str(campaign)], f"oversold: {campaign}, {units} of {supply[str(campaign)]}"
        kept = np.minimum(gone, rows["claimed_qty"])
        assert (rows["allocated_qty"] >= kept).all(), "shipped units handed to somebody else"
        self._check_shares(tables, handed, supply)
        self._check_caps(inputs)

    def _check_shares(self, tables: PlanTables, handed: pd.Series, supply: Counter[str]) -> None:
        """Nothing is left over while somebody waits; the root stands from the close on."""
        rows = tables.preorder_allocations
        waits = rows.groupby("campaign_id")["backlog_qty"].sum()
        held = rows["reason"].isin(["seed_not_revealed", "seed_refused"]).groupby(rows["campaign_id"]).any()
        for campaign in waits.index[(waits > 0) & ~held]:
            assert handed[campaign] == supply[campaign], f"units of {campaign} lie idle while buyers wait"
        for row in tables.batch_plan.itertuples():
            if pd.isna(row.ledger_root):  # extended: it takes preorders again, and will have another root
                self.roots.pop(row.campaign_id, None)
                continue
            assert self.roots.setdefault(row.campaign_id, row.ledger_root) == row.ledger_root, "the root moved"

    def _check_caps(self, inputs: PlanInputs) -> None:
        ledger = inputs.ledger[inputs.ledger["buyer_ref"].notna()]
        claims = ledger.groupby(["campaign_id", "buyer_ref"])["firm_qty"].sum()
        cap = self.terms.set_index("campaign_id")["identity_cap"]
        assert (claims.to_numpy() <= cap.reindex(claims.index.get_level_values(0)).to_numpy(int)).all(), "above the cap"


def random_day(shop: PreorderShop, n_events: int) -> None:
    """A day of random events."""
    rng, n = shop.rng, len(shop.terms)
    for _ in range(n_events):
        if rng.random() < 0.85:
            buyer = int(rng.integers(400)) if rng.random() < 0.7 else None
            shop.place(int(rng.integers(n)), int(rng.choice([1, 2, 3, 9], p=[0.7, 0.2, 0.07, 0.03])), buyer)
        else:
            shop.cancel(int(rng.integers(1 << 30)))
    for campaign in range(n):
        if rng.random() < 0.35:
            mine = [m[1] for m in shop.moves if m[0] == f"C{campaign}"]
            ahead = CHAIN[min(CHAIN.index(mine[-1]) + 1, 6)]
            shop.move(campaign, ahead if rng.random() < 0.97 else str(rng.choice(CHAIN)))
        if rng.random() < 0.15 and shop.day > 8:
            shop.receive(campaign, int(rng.integers(1, 150)))
    shop.ship(float(rng.choice([0.0, 0.02, 0.3])))


def simulate(n_events: int, *, seed: int, nights: int = 30, a_day: int = 1_000) -> tuple[int, int, str]:
    """Run shops until so many events have happened; events, nights checked, and a fingerprint for the replay."""
    done = checked = 0
    digest = hashlib.sha256()
    while done < n_events:
        shop = PreorderShop(seed + checked, n_campaigns=8, max_batch=2_000)
        for _ in range(nights):
            random_day(shop, a_day)
            tables = shop.night()
            checked += 1
            if tables is not None:
                units = tables.preorder_allocations["allocated_qty"].to_numpy(dtype=np.int64)
                digest.update(np.ascontiguousarray(units).tobytes())
        done += shop.events
    return done, checked, digest.hexdigest()[:16]


def step_by_step(n_events: int, *, seed: int, life: int = 150) -> int:
    """Make and check the whole plan after every single event of small shops; return the events."""
    done = number = 0
    while done < n_events:
        shop = PreorderShop(seed + number, n_campaigns=1, min_batch=3, max_batch=25)
        shop.is_step_by_step = True
        number += 1
        rng = shop.rng
        while shop.events < life:
            kind = rng.random()
            if kind < 0.55:
                shop.place(0, int(rng.choice([1, 2, 9])), int(rng.integers(8)) if rng.random() < 0.7 else None)
            elif kind < 0.7:
                shop.cancel(int(rng.integers(1 << 30)))
            elif kind < 0.85 and shop.events > life // 4:
                shop.move(0, CHAIN[min(CHAIN.index(shop.moves[-1][1]) + 1, 6)])
            elif kind < 0.95:
                shop.receive(0, int(rng.integers(1, 9)))
            else:
                shop.ship(0.5)
            shop.night(passes=bool(rng.random() < 0.15))
        done += shop.events
    return done


def main() -> None:
    """Print how many events passed, and that a replay from the seed gives the same."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    began = time.perf_counter()
    done, checked, mark = simulate(wanted, seed=7)
    print(f"{done:,} events, {checked} nights: no oversell, no negative, every unit accounted for after each event "
          f"({time.perf_counter() - began:.0f} s); fingerprint {mark}", flush=True)  # fmt: skip
    steps = step_by_step(max(wanted // 200, 150), seed=11)
    print(f"{steps:,} events of small shops, the whole plan made and checked after every one", flush=True)
    again = simulate(30_000, seed=7), simulate(30_000, seed=7)
    print("replay from the seed:", "the same" if again[0] == again[1] else "DIFFERENT", again[0][2])


if __name__ == "__main__":
    main()
