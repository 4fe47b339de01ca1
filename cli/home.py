"""Making a home folder."""

from __future__ import annotations

import shutil
from pathlib import Path

from data.errors import ConfigError

__all__ = ["make_home"]

_PRICING = Path(__file__).resolve().parent.parent / "pricing" / "rules"

_SETTINGS = """\
# merchcast.yml: where data comes from and how to plan. Every key is validated;
# `merchcast schema config` prints them all.
shop: {name: My shop, timezone: Asia/Shanghai, currency: CNY, language: zh, reference_days: 7, closed_days: []}
planning:
  freq: D                      # D, or a week that starts on a weekday: W-MON ... W-SUN
  order_weekdays: [SUN]        # business dates on which orders are placed
  unmet_demand: lost_sales     # lost_sales | backorder
  objective: {service_level: 0.95}
  default_supply: {lead_time_days: 14, lead_time_sd_days: 0, min_order_qty: 1, pack_size: 1}
sources:                       # `merchcast schema TABLE` prints what a table may hold; only sales are needed
  order_lines: {kind: file, path: drop/order_lines/*.csv, timezone: Asia/Shanghai}
"""
_OVERRIDES = "kind,sku,location_id,from_date,to_date,operation,value,reason,role,expires_date\n"
_HOLDS = "scope,id,reason,expires_date\n"


def make_home(folder: Path, *, demo: bool = False, seed: int = 2026) -> None:
    """Make a home folder with its settings, pricing rules, overrides and holds; with ``demo``, the demo shop in it.

    Raises:
        ConfigError: the folder is a home already.
    """
    if (folder / "merchcast.yml").exists():
        raise ConfigError(f"{folder} is a home folder already; choose another, or remove it first")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "landing").mkdir(mode=0o700, exist_ok=True)
    (folder / "drop").mkdir(exist_ok=True)
    for source, target in (("default.yml", "pricing_rules.yml"), ("rules.schema.json", "rules.schema.json")):
        shutil.copyfile(_PRICING / source, folder / target)
    if demo:
        from data.demo import write_demo

        write_demo(folder, seed=seed)
        return
    (folder / "merchcast.yml").write_text(_SETTINGS, encoding="utf-8")
    (folder / "overrides.csv").write_text(_OVERRIDES, encoding="utf-8")
    (folder / "holds.csv").write_text(_HOLDS, encoding="utf-8")
