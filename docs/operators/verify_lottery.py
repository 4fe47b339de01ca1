"""Checks a preorder lottery from the published tables alone: python verify_lottery.py TABLES_FOLDER CAMPAIGN_ID.

Needs nothing but Python. Reads batch_plan.csv (commitment, seed, ledger root, supply) and preorder_allocations.csv.
Give it the ledger root that was published at the close as a third argument, to compare with that too.
"""

import csv
import hashlib
import hmac
import sys
from pathlib import Path


def rows_of(folder, table, campaign):
    """Return the table's rows of the campaign."""
    with (Path(folder) / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["campaign_id"] == campaign]


def verify(folder, campaign, root_at_close=None):
    """Return the complaints; none means that the draw is as it should be."""
    plan, rows = rows_of(folder, "batch_plan", campaign), rows_of(folder, "preorder_allocations", campaign)
    seed, root, wrong = plan[0]["seed"], plan[0]["ledger_root"], []
    if hashlib.sha256(seed.encode()).hexdigest() != plan[0]["seed_commitment"].strip().lower():
        wrong.append("the seed is not the one committed to before the campaign")
    digest = hashlib.sha256(b"").hexdigest()
    for r in sorted((r for r in rows if r["ledger_line"]), key=lambda r: int(r["ledger_line"])):
        placed = r["placed_at"].replace(" ", "T").replace("+00:00", "Z").rstrip("Z")
        placed = placed if "." in placed else placed + ".000000"
        line = f"{digest}|{r['preorder_id']}|{r['sku']}|{placed}Z|{r['quantity']}"
        digest = hashlib.sha256(line.encode()).hexdigest()
    if digest != root or (root_at_close and digest != root_at_close):
        wrong.append("the ledger is not the one whose root was published at the close")
    for sku in plan:
        left, mine = int(sku["supply_qty"]), [r for r in rows if r["sku"] == sku["sku"]]
        tickets = {r["ticket_id"] for r in mine}
        draw = {t: hmac.new(seed.encode(), f"{t}|{root}".encode(), hashlib.sha256).hexdigest() for t in tickets}
        for r in sorted(mine, key=lambda r: (draw[r["ticket_id"]], r["placed_at"], r["preorder_id"])):
            due = min(int(r["claimed_qty"]), left)
            left -= due
            if due != int(r["allocated_qty"]):
                wrong.append(f"{r['preorder_id']}: {r['allocated_qty']} allocated, {due} drawn")
    return wrong


if __name__ == "__main__":
    found = verify(*sys.argv[1:])
    sys.stdout.write(("\n".join(found) or "The lottery is as it should be.") + "\n")
    sys.exit(bool(found))
