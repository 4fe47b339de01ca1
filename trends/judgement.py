"""What sales say of signals: their lead and use, the record of past alarms, combinations, and the hit map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from trends.config import TrendConfig
from trends.heat import Heat, heat_of
from trends.hit_features import heat_on_eves, hit_features
from trends.hits import fit_hits, hit_map, predicted_hits
from trends.item_priors import foreseen_levels, item_priors, relative_levels
from trends.leads import HeatPanel, signal_leads
from trends.pairs import element_pairs, style_levels
from trends.record import alarms_of, carriers, judged_alarms, kinds_of_bursts, scorecard
from trends.sales import SalesPanel, element_sales
from trends.seasons import next_season, season_days, season_of, style_seasons
from trends.signals import Cube

__all__ = ["Judgement", "judgement", "map_of_hits"]

_DEFAULT_LEAD, _DEFAULT_STRENGTH = 14, 0.3  # [days], [log/log] until a shop's own sales have spoken
_NEW_DAYS = 28  # on sale for less: its elements say more than its sales


@dataclass(frozen=True)
class Judgement:
    """What past sales say.

    Attributes:
        leads: ``signal_leads``.
        lead_days, strengths: by element type, with defaults where sales could not tell.
        sizes: days and heat of past bursts, by element type.
        alarms: as :func:`trends.record.alarms_of` gives them.
        history: past alarms and how they turned out.
        card: the scorecard with ``p_right``.
        sales_heat: heat of the sales by element and region, at the close of the last day.
    """

    leads: pl.DataFrame
    lead_days: dict[str, int]
    strengths: dict[str, float]
    sizes: dict[str, tuple[float, float]]
    alarms: pl.DataFrame
    history: pl.DataFrame
    card: pl.DataFrame
    sales_heat: pl.DataFrame


def judgement(
    cube: Cube,
    heat: Heat,
    panel: SalesPanel,
    elements: pl.DataFrame,
    money: dict[str, tuple[float, float]],
    *,
    config: TrendConfig,
    seed: int,
) -> Judgement:
    """Return what past sales say of the signals of a cube.

    Args:
        cube: signals as past runs knew them.
        heat: its scores.
        panel: sales up to the same day.
        elements: ``sku``, ``element_type``, ``element``.
        money: margin of a unit and what one too many costs [currency], by SKU.
        config: windows and gate.
        seed: of the permutations.
    """
    sold = element_sales(
        panel, elements.join(cube.series.select("element_type").unique(), on="element_type", how="semi")
    )
    sold_heat = heat_of(sold, config=config)
    leads = signal_leads(
        HeatPanel(cube.series, _on_days_of(panel, cube, heat)), panel, elements, config=config, seed=seed
    )
    types = sorted(cube.series["element_type"].unique().to_list())
    told = {row["element_type"]: row for row in leads.filter(pl.col("strength") > 0).iter_rows(named=True)}
    lead_days = {k: int(told[k]["lead_days"]) if k in told else _DEFAULT_LEAD for k in types}
    strengths = {k: float(told[k]["strength"]) if k in told else _DEFAULT_STRENGTH for k in types}
    alarms = alarms_of(cube, heat)
    sizes = kinds_of_bursts(alarms, types)
    history = judged_alarms(
        alarms, panel, carriers(panel, elements), lead_days, money, sizes=sizes, strengths=strengths
    )
    now = (
        sold.series.with_columns(sales_heat=pl.Series(sold_heat.heat[-1].astype(float)))
        if panel.n_days and sold.series.height
        else pl.DataFrame(
            schema={**dict.fromkeys(("element_type", "element", "region"), pl.String), "sales_heat": pl.Float64}
        )
    )
    return Judgement(leads, lead_days, strengths, sizes, alarms, history, scorecard(history), now)


def _on_days_of(panel: SalesPanel, cube: Cube, heat: Heat) -> np.ndarray:
    """Return attention on the days of the panel, 0 where no signal was known yet."""
    out = np.zeros((panel.n_days, cube.series.height), dtype=np.float32)
    offset = panel.first_day - cube.first_day
    first = max(0, -offset)
    if first < panel.n_days:
        out[first:] = heat.attention[first + offset : panel.n_days + offset]
    return out


def map_of_hits(
    cube: Cube,
    heat: Heat,
    panel: SalesPanel,
    styles: pl.DataFrame,
    elements: pl.DataFrame,
    zones: pl.DataFrame,
    strengths: dict[str, float],
    *,
    last_day: int,
    config: TrendConfig,
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return ``element_pairs``, ``hit_map`` of the next quarter and ``new_item_priors``; empty with too little history.

    Args:
        cube: the signals.
        heat: its scores.
        panel: sales by SKU and region, as far back as there are.
        styles: ``sku``, ``style_id``, ``category``, ``is_open`` (may sell next quarter), ``is_new``.
        elements: ``sku``, ``element_type``, ``element``.
        zones: ``region``, ``climate_zone``.
        strengths: log change of demand per unit of heat, by element type.
        last_day: day number of D.
        config: the share of false pairs allowed.
    """
    of_style = (
        styles.select("sku", "style_id").join(elements, on="sku").select("style_id", "element_type", "element").unique()
    )
    seasons = style_seasons(panel, styles.select("sku", "style_id", "category"))
    pairs = element_pairs(style_levels(seasons), of_style, config=config)
    # the quarter that D is in teaches only once it is all but over
    season = season_of(last_day)
    over = season_days(season)[1] - last_day <= _NEW_DAYS // 2
    past = seasons if over else seasons.filter(pl.col("season") != season)
    ahead = next_season(last_day)
    rows = (
        styles.filter("is_open").select("style_id").unique().join(zones.select("region").unique(), how="cross")
    ).with_columns(season=pl.lit(ahead))
    both = pl.concat([past.select("style_id", "region", "season"), rows.select("style_id", "region", "season")])
    features = hit_features(both, of_style, zones, heat_on_eves(cube, heat, both, last_day), strengths)
    model = fit_hits(past, features)
    if model is None or rows.is_empty():
        return pairs, pl.DataFrame(), pl.DataFrame()
    rows = rows.sort("style_id", "region")
    found = hit_map(model, rows, features, of_style).join(zones.unique("region"), on="region", how="left")
    predicted = predicted_hits(model, rows, features).join(
        styles.unique("style_id").select("style_id", "category"), on="style_id"
    )
    tonight = relative_levels(predicted, usual=pl.col("level_ratio"))
    foreseen = foreseen_levels(panel, seasons, styles, of_style, zones, (cube, heat))
    return pairs, found, item_priors(foreseen, tonight, styles, last_day=last_day)
