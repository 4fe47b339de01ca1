"""Weekly observations in the form in which the response model takes them: arrays, and integer codes of groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["CONTROLS", "KNOT_WEEKS", "Panel", "make_panel", "usable_weeks"]

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

CONTROLS = ("promotion_share", "promotion_before", "heat", "temperature", "event_share", "is_young", "is_fresh")
"""What else moves demand, where it is known: promotions now and the week before, heat, weather, events, newness."""

_KEYS = ["sku", "location_id"]
_LEAST_PERIODS = 8  # [weeks] a series shorter than this teaches nothing
_FRESH_WEEKS, _YOUNG_WEEKS = 2.0, 6.0  # [weeks] in which what is new about an item wears off, fast and slowly
_BEGUN_WEEKS = 4  # [weeks] a series that begins so long after the data was launched in them
KNOT_WEEKS = 8  # [weeks] the level of a series may bend so often
_BLOCK_WEEKS = 6  # [weeks] errors within a block hang together
_LEAST_OWN_SHARE = 0.3  # [0-1] of price variance left within a group's weeks; below it a group moves as one


@dataclass(frozen=True)
class Panel:
    """Weekly observations. Arrays of shape (n,) unless said.

    ``log_price`` is centred by series, ``controls`` is (n, k) and centred by series. ``series``, ``sku``, ``stem``
    (style, or the SKU that has none), ``kind`` (product type), ``season`` (group and week) and ``block`` are codes
    from 0. ``knot`` is the knot of the series' level on the left of an observation, ``share`` how far it lies toward
    the next one (0-1); ``n_knots`` counts them.
    """

    units: Floats
    log_days: Floats
    log_price: Floats
    controls: Floats
    series: Codes
    sku: Codes
    stem: Codes
    kind: Codes
    season: Codes
    week: Codes
    block: Codes
    knot: Codes
    share: Floats
    n_knots: int


def usable_weeks(weekly: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    """Return the weeks that can teach: of known SKUs, with days on sale and a price, in series whose price moved.

    Adds ``log_price``, and ``is_fresh`` and ``is_young`` (1 in the week of the launch, then less and less): what is new
    sells for being new, and its first price steps fall into the same weeks. A series needs sales, 8 weeks, and a price
    that is not always the same.
    """
    rows = weekly[(weekly["days"] > 0) & weekly["sku"].isin(items["sku"])].sort_values(
        [*_KEYS, "week"], ignore_index=True
    )
    price = _filled_price(rows, [rows[k] for k in _KEYS])
    rows = rows.assign(price=price, log_price=np.log(price))
    rows = _with_newness(rows[rows["price"].notna()])
    grouped = rows.groupby(_KEYS, sort=False)
    enough = (grouped["units"].transform("sum") > 0) & (grouped["units"].transform("size") >= _LEAST_PERIODS)
    return rows[enough & (grouped["log_price"].transform("std") > 0)].reset_index(drop=True)


def _with_newness(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with how new their series is; 0 for those that may have been launched before the data."""
    first = rows["week"].groupby([rows[k] for k in _KEYS], sort=False).transform("min")
    age = (rows["week"] - first).dt.days / 7
    launched = ((first - rows["week"].min()).dt.days >= 7 * _BEGUN_WEEKS).astype(float)
    return rows.assign(is_fresh=launched * np.exp(-age / _FRESH_WEEKS), is_young=launched * np.exp(-age / _YOUNG_WEEKS))


def _filled_price(rows: pd.DataFrame, groups: list[pd.Series]) -> pd.Series:
    """The regular price in force; where the shop keeps no prices, the price paid, else the last one paid.

    The price paid depends on which days of a week sold, and so on demand: with promotions it makes slow items look
    far more elastic than they are. The price in force does not.
    """
    paid = rows["price"].where(rows["price"] > 0).astype(float)
    regular = rows["regular_price"].where(rows["regular_price"] > 0).astype(float)
    has_regular = regular.notna().groupby(groups, sort=False).transform("any")
    last = paid.groupby(groups, sort=False).ffill()
    price = regular.where(has_regular, last)
    return price.groupby(groups, sort=False).bfill()


def make_panel(rows: pd.DataFrame, items: pd.DataFrame, *, controls: tuple[str, ...] = CONTROLS) -> Panel:
    """Return the panel of usable weeks.

    Args:
        rows: from :func:`usable_weeks`, in order of series and week; controls that it lacks are taken as constant.
        items: ``sku``, ``stem``, ``product_type``, ``category``, one row a SKU; codes of SKUs are its row numbers,
            codes of stems and types those of their sorted names.
        controls: columns of ``rows`` that also move demand.
    """
    sku = rows["sku"].map(pd.Series(np.arange(len(items)), index=items["sku"])).to_numpy(dtype=np.int64)
    series = pd.factorize(pd.MultiIndex.from_frame(rows[_KEYS]))[0].astype(np.int64)
    start = rows["week"].min()
    week = ((rows["week"] - start).dt.days // 7).to_numpy(dtype=np.int64)
    log_price = rows["log_price"].to_numpy(dtype=float)
    kind = _codes(items["product_type"])[sku]
    found = [c for c in controls if c in rows.columns]
    beside = np.nan_to_num(rows[found].to_numpy(dtype=float)) if found else np.zeros((len(rows), 0))
    moving = beside.std(axis=0) > 0 if len(found) else np.zeros(0, dtype=bool)
    position = week / KNOT_WEEKS
    return Panel(
        units=rows["units"].to_numpy(dtype=float),
        log_days=np.log(rows["days"].to_numpy(dtype=float)),
        log_price=log_price - _means(log_price, series)[series],
        controls=np.column_stack([c - _means(c, series)[series] for c in beside[:, moving].T] or [beside[:, :0]]),
        series=series,
        sku=sku,
        stem=_codes(items["stem"])[sku],
        kind=kind,
        season=_season(log_price - _means(log_price, series)[series], kind, _codes(items["category"])[sku], week),
        week=week,
        block=week // _BLOCK_WEEKS,
        knot=position.astype(np.int64),
        share=position - position.astype(np.int64),
        n_knots=int(position.max()) + 2 if len(position) else 2,
    )


def _season(log_price: Floats, kind: Codes, category: Codes, week: Codes) -> Codes:
    """The group and week whose effect stands for season, weather and events.

    A product type has weeks of its own unless its SKUs move their prices together: then an effect of each of its
    weeks would take the price's place, and the weeks are its category's, or, if that moves as one too, the shop's.
    """
    n_weeks = int(week.max()) + 1
    shop = np.zeros(len(week), dtype=np.int64)
    group = np.full(len(week), -1, dtype=np.int64)
    for level, codes in enumerate((kind, category, shop)):
        free = _moves_apart(log_price, codes, week)[codes] if level < 2 else np.ones(len(week), dtype=bool)
        group = np.where((group < 0) & free, codes * 3 + level, group)
    return np.asarray(np.unique(group * n_weeks + week, return_inverse=True)[1], dtype=np.int64)


def _moves_apart(log_price: Floats, group: Codes, week: Codes) -> npt.NDArray[np.bool_]:
    """Whether enough of a group's price variance is left within its weeks, shape (n_groups,)."""
    cell = group * (int(week.max()) + 1) + week
    within = log_price - _means(log_price, cell)[cell]
    whole = np.bincount(group, weights=log_price**2)
    return np.asarray(np.bincount(group, weights=within**2) >= _LEAST_OWN_SHARE * whole, dtype=bool)


def _codes(names: pd.Series) -> Codes:
    codes: Codes = np.asarray(pd.factorize(names, sort=True)[0], dtype=np.int64)
    return codes


def _means(values: Floats, group: Codes) -> Floats:
    counts = np.maximum(np.bincount(group), 1)
    return np.asarray(np.bincount(group, weights=values) / counts, dtype=float)
