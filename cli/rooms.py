"""The rooms' own settings, checked before anything is read."""

from __future__ import annotations

import difflib

from pydantic import BaseModel, ValidationError

from data.errors import ConfigError
from data.settings import Settings

__all__ = ["check_room_settings", "room_configs"]


def room_configs() -> dict[str, type[BaseModel]]:
    """Return the config class of each room."""
    from demand.config import DemandConfig
    from forecasting.config import ForecastConfig
    from preorder.config import PreorderConfig
    from pricing.config import PricingConfig
    from reporting.config import ReportingConfig
    from restocking.config import RestockConfig
    from trends.config import TrendConfig

    return {
        "demand": DemandConfig,
        "trends": TrendConfig,
        "forecasting": ForecastConfig,
        "restocking": RestockConfig,
        "preorder": PreorderConfig,
        "pricing": PricingConfig,
        "reporting": ReportingConfig,
    }


def check_room_settings(settings: Settings) -> None:
    """Validate every room's settings.

    Raises:
        ConfigError: an unknown key (with "did you mean") or a value out of bounds.
    """
    for room, config in room_configs().items():
        where = "demand.rules" if room == "demand" else room
        try:
            config.model_validate(settings.rooms[room])
        except ValidationError as error:
            first = error.errors()[0]
            path = ".".join([where, *(str(p) for p in first["loc"])])
            close = difflib.get_close_matches(
                str(first["loc"][-1]) if first["loc"] else "", list(config.model_fields), 1
            )
            hint = f"; did you mean {close[0]!r}?" if first["type"] == "extra_forbidden" and close else ""
            raise ConfigError(f"merchcast.yml: {path}: {first['msg']}{hint}") from error
