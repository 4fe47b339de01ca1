"""Fixtures of the forecasting room; the frames they are made of are in ``forecast_shops``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from forecast_shops import make_home

__all__ = ["make_home"]
