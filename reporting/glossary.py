"""The glossary: which terms are explained, in which order, and their formulas, which are the same in every language."""

from __future__ import annotations

from dataclasses import dataclass

from reporting.catalogue import Catalogue

__all__ = ["FORMULAS", "GlossaryEntry", "glossary"]

FORMULAS: dict[str, str] = {
    "demand": "units = gross − cancelled − excluded, ≥ 0",
    "inventory_position": "IP = on_hand + on_order − backorders − preorders_open",
    "lead_time": "L [days]",
    "review_period": "R [days]",
    "protection_period": "L + R, from D + 1 to D + L + R",
    "order_qty": "Q = need − lost − IP + buffer, → MOQ, packs, caps",
    "order_up_to_level": "S",
    "reorder_point": "s",
    "safety_stock": "SS",
    "service_level": "1 − P(unmet on D + 1 + L … D + L + R)",
    "fill_rate": "1 − E[unmet] / E[demand]",
    "p_stockout_before_receipt": "P(unmet on D + 1 … D + L)",
    "p_stockout_if_not_ordered": "P(unmet on D + 1 + L … D + L + R | Q = 0)",
    "p_stockout_if_ordered": "P(unmet on D + 1 + L … D + L + R | Q)",
    "days_of_cover": "on_hand / mean demand per day",
    "stockout_date": "P50, P90",
    "money_at_risk": "E[lost units avoided] × (price − unit_cost)",
    "excess_value": "excess units × unit_cost",
    "marginal_return": "Δ profit / Δ spend",
    "sparkline": "s / (L + R)",
    "bands": "q10–q90, q2.5–q97.5",
    "wape": "Σ|forecast − actual| / Σ actual",
    "bias": "Σ(forecast − actual) / Σ actual",
    "confidence": "WAPE, n, rung",
    "at_risk": "on_hand = 0 ∨ P(unmet before receipt) ≥ p*",
    "proposal": "Q is not supply",
    "held": "guardrail, hold",
    "promise_p90": "P(shipped by date) = 0.9",
}
"""Terms in reading order with their formulas; the words stand in the catalogues under ``glossary.<term>``."""


@dataclass(frozen=True)
class GlossaryEntry:
    """One explained term."""

    key: str
    term: str
    formula: str
    text: str


def glossary(words: Catalogue) -> list[GlossaryEntry]:
    """Return the entries in the reader's language, in reading order."""
    return [
        GlossaryEntry(
            key=key,
            term=words.text(f"glossary.{key}.term"),
            formula=formula,
            text=words.text(f"glossary.{key}.text"),
        )
        for key, formula in FORMULAS.items()
    ]
