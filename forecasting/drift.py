"""Has demand left the level that the week's model knows?"""

from __future__ import annotations

import numpy as np

from forecasting.backtest import Inputs
from forecasting.models import control_forecast
from forecasting.segments import demand_classes, given_or_own

__all__ = ["drifted"]

_FEWEST_PERIODS = 3  # a day or two say nothing about a level
_FEWEST_UNITS = 200.0  # [units] expected of a class: a fifth of it is three times its Poisson noise
_CONTROL_WEEKS = 8  # [weeks] the level that demand is compared with


def drifted(inputs: Inputs, *, origin: int, ratio: float) -> list[str]:
    """Return the demand classes whose demand since ``origin`` left its level by more than ``ratio``, up or down.

    The level is the same-weekday mean before the origin, so a weekend is no drift. Periods that do not teach are left
    out on both sides.

    Args:
        inputs: history beyond the origin.
        origin: periods that taught the model.
        ratio: above 1.
    """
    whole = inputs.panel.rows(inputs.targets)
    since = whole.n_periods - origin
    if since < _FEWEST_PERIODS or origin <= 0:
        return []
    past = whole.until(origin)
    expected = control_forecast(past, horizon=since, weeks=_CONTROL_WEEKS)
    judged = whole.teaches[:, origin:] & ~np.isnan(expected)
    came = np.where(judged, whole.demand[:, origin:], 0).sum(axis=1, dtype=np.float64)
    usual = np.where(judged, expected, 0).sum(axis=1, dtype=np.float64)
    season = whole.season
    classes = given_or_own(whole.keys, demand_classes(past, new_periods=4 * season, dead_periods=26 * season))
    found = []
    for name in sorted(set(classes.tolist())):
        members = classes == name
        level = usual[members].sum()
        if level >= _FEWEST_UNITS and not 1 / ratio <= came[members].sum() / level <= ratio:
            found.append(str(name))
    return found
