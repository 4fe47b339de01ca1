"""The input tables: what a shop delivers, one statement each, by topic."""

from __future__ import annotations

from data.contracts.inputs_catalogue import CATALOGUE
from data.contracts.inputs_market import MARKET
from data.contracts.inputs_preorders import PREORDERS
from data.contracts.inputs_trade import TRADE
from data.contracts.model import Table

__all__ = ["INPUTS"]

INPUTS: tuple[Table, ...] = (*CATALOGUE, *TRADE, *PREORDERS, *MARKET)
