"""The ingest step: what the sources offer becomes ``stg_*`` tables as of D, with an account of every row."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from data.contracts import INPUTS, TABLES
from data.ingest.accounts import find_returned_twice, find_unknown_skus, quarantine, row_accounts, settle_quarantine
from data.ingest.intake import Intake, take_in
from data.ingest.landing import Landing, sighting_line
from data.ingest.privacy import buyer_key, hmac_pads
from data.ingest.products import non_products
from data.ingest.runs import Run, is_first_run, run_line, watermark_of
from data.ingest.sources import sources_of
from data.ingest.store import create_raw, create_store, raw_name
from data.ingest.switches import holds_in_force, overrides_in_force
from data.ingest.versions import visible_deliveries
from data.sql.consistency import refuse_both_sales_shapes
from data.sql.products import products_from_sales
from data.sql.staging import create_visible, stage_history, stage_table
from data.sql.supply import item_supply
from data.step_io import StepIO, open_step

__all__ = ["run"]
