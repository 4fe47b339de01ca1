"""The range of the demo shop: styles, SKUs in sizes, and which location carries what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.demo.campaigns import CampaignPlan, campaign_schedule
from data.demo.config import DemoConfig
from data.demo.streams import stream
from data.demo.vocabulary import (
    CHARACTERS,
    COLLARS,
    COLOURS,
    EXTENDED_SIZES,
    FABRICS,
    IPS,
    MOTIFS,
    PRODUCT_TYPES,
    SIZE_SHARES,
    SIZES,
    SLEEVES,
    ProductType,
)

__all__ = ["ELEMENT_TYPES", "LOCATIONS", "NEVER", "REGIONS", "Catalogue", "catalogue"]

LOCATIONS: tuple[tuple[str, str, str, bool], ...] = (
    ("web", "east", "temperate", True),
    ("shop_north", "north", "cold", False),
    ("shop_south", "south", "subtropical", False),
)
"""(location_id, region, climate_zone, is_warehouse)."""

REGIONS: tuple[str, ...] = ("east", "north", "south")
ELEMENT_TYPES: tuple[str, ...] = ("ip", "character", "colour", "collar", "motif")
NEVER = 10**6  # a day number that never comes
_CHARACTERS_PER_IP = 5

_SIZED = {"costume", "clothing"}
_PREORDER_TYPES = {"scale_figure", "prize_figure", "acrylic_stand", "uniform_costume", "dress_costume"}
_ENDED_SHARE, _ENDING_SHARE = 0.14, 0.05
_PAIR_LIFT = 6.0  # what a planted combination sells beyond its parts [ratio]
_PAIR_STYLES = 13  # that carry it, so that it can be told from their own popularity (log sd 1.2)
_HOTTEST = 45.0  # no style is more popular than this many times the median [ratio]
_PLACE_SHARE = (1.0, 0.16, 0.20)  # demand of a style by location, web = 1 [ratio]


@dataclass(frozen=True)
class Catalogue:
    """Everything the shop sells.

    Attributes:
        styles: one row a style, in style order.
        skus: one row a SKU: ``sku``, ``style`` (row of ``styles``), ``size``, ``size_group``, ``size_share``.
        series: one row a SKU and location: ``sku_index``, ``style``, ``location`` (row of ``LOCATIONS``).
        campaigns: the preorder campaigns' schedule.
        pairs: planted combinations: ``kind``, ``first``, ``second``, ``lift``.
    """

    styles: pl.DataFrame
    skus: pl.DataFrame
    series: pl.DataFrame
    campaigns: list[CampaignPlan]
    pairs: pl.DataFrame

    def by_series(self, name: str) -> NDArray[np.float64]:
        """Return a numeric column of ``styles`` spread over the series, shape (n_series,)."""
        values: NDArray[np.float64] = self.styles[name].to_numpy()[self.series["style"].to_numpy()]
        return values


def catalogue(config: DemoConfig) -> Catalogue:
    """Return the range of the shop for a config; the same config gives the same range."""
    rng = stream(config.seed, "catalogue")
    types = _type_list(config)
    rows = [_style(i, kind, config, rng) for i, kind in enumerate(types)]
    _set_life(rows, config, rng)
    campaigns = _campaigns(rows, config)
    styles = pl.DataFrame(rows, infer_schema_length=None).with_columns(
        popularity=pl.min_horizontal("popularity", _HOTTEST * pl.col("popularity").median())
    )
    styles, pairs = _with_pairs(styles, config)
    skus = _skus(styles, stream(config.seed, "sizes"))
    return Catalogue(styles, skus, _series(styles, skus), campaigns, pairs)


def _type_list(config: DemoConfig) -> list[ProductType]:
    """Return the product type of every style: each group's styles split by the types' shares."""
    groups = (
        (config.n_goods_styles, [t for t in PRODUCT_TYPES if t.category not in _SIZED]),
        (config.n_costume_styles, [t for t in PRODUCT_TYPES if t.category == "costume"]),
        (config.n_clothing_styles, [t for t in PRODUCT_TYPES if t.category == "clothing"]),
    )
    found: list[ProductType] = []
    for count, kinds in groups:
        exact = np.array([t.share for t in kinds]) * count
        whole = np.floor(exact).astype(int)
        for i in np.argsort(whole - exact, kind="stable")[: count - int(whole.sum())]:
            whole[i] += 1
        found += [kind for kind, n in zip(kinds, whole, strict=True) for _ in range(n)]
    return found


def _style(index: int, kind: ProductType, config: DemoConfig, rng: np.random.Generator) -> dict[str, Any]:
    """Return one style: its elements, price and popularity."""
    ip_weights = 1.0 / (np.arange(config.n_ips) + 2.0) ** 0.7
    ip = int(rng.choice(config.n_ips, p=ip_weights / ip_weights.sum()))
    rank = min(int(rng.geometric(0.4)) - 1, _CHARACTERS_PER_IP - 1)
    is_sized = kind.category in _SIZED
    is_original = kind.category == "clothing" and rng.random() < 0.4
    price = max(5.0, round(kind.price * float(rng.lognormal(0.0, 0.2)))) - 0.1
    cost = round(price * kind.cost_share * float(rng.uniform(0.9, 1.1)), 2)
    colour = int(rng.integers(len(COLOURS)))
    return {
        "style_id": f"{kind.code}-{index + 1:04d}",
        "type_index": PRODUCT_TYPES.index(kind),
        "product_type": kind.name,
        "category": kind.category,
        "ip": None if is_original else IPS[ip][0],
        "ip_title": "原创" if is_original else IPS[ip][1],
        "character": None if is_original else f"{IPS[ip][0]}_{CHARACTERS[rank][0]}",
        "character_title": "" if is_original else CHARACTERS[rank][1],
        "colour": COLOURS[colour][0],
        "colour_title": COLOURS[colour][1],
        "collar": COLLARS[int(rng.integers(len(COLLARS)))] if is_sized else None,
        "sleeve": SLEEVES[int(rng.integers(len(SLEEVES)))] if is_sized else None,
        "fabric": FABRICS[int(rng.integers(len(FABRICS)))] if is_sized else None,
        "motif": MOTIFS[int(rng.integers(len(MOTIFS)))] if rng.random() < 0.6 else None,
        "price": round(price, 2),
        "unit_cost": cost,
        "salvage_value": round(cost * float(rng.uniform(0.1, 0.4)), 2),
        "royalty_share": 0.0 if is_original else round(float(rng.uniform(0.05, 0.12)), 3),
        "supplier_id": kind.supplier,
        "pack_size": kind.pack,
        "min_order_qty": kind.moq,
        "elasticity": float(np.clip(kind.elasticity + rng.normal(0.0, 0.35), -4.0, -0.4)),
        "popularity": kind.volume
        * float(rng.lognormal(0.0, 1.2))
        * (1.0 if is_original else float(2.5 * config.n_ips * ip_weights[ip] / ip_weights.sum()) / (1 + 0.5 * rank)),
        "in_north": bool(rng.random() < config.shop_share),
        "in_south": bool(rng.random() < config.shop_share),
        "launch_day": 0,
        "end_day": NEVER,
        "is_drop": False,
        "campaign": "",
    }


def _set_life(rows: list[dict[str, Any]], config: DemoConfig, rng: np.random.Generator) -> None:
    """Give every style its first and last day on sale, as day numbers; the rows are this module's own."""
    last = config.n_days - 1
    order = rng.permutation(len(rows))
    goods = [int(i) for i in order if rows[i]["category"] not in _SIZED]
    drops = set(goods[: config.n_drop_styles])
    others = [int(i) for i in order if int(i) not in drops]
    new = set(others[: config.n_new_styles])
    coming = set(others[config.n_new_styles : config.n_new_styles + config.n_coming_styles])
    for i, row in enumerate(rows):
        if i in drops:
            row["is_drop"] = True
            row["launch_day"] = int(rng.integers(30, last - 8))
            row["popularity"] = float(row["popularity"]) + 6.0
        elif i in new:
            row["launch_day"] = int(rng.integers(last - 20, last))
        elif i in coming:
            row["launch_day"] = int(rng.integers(last + 3, last + 60))
        elif rng.random() < 0.55:
            row["launch_day"] = -int(rng.integers(20, 500))
        else:
            row["launch_day"] = int(rng.integers(0, last - 30))
        draw = rng.random()
        first = max(int(row["launch_day"]), 0) + 45
        if i not in new and i not in coming and draw < _ENDED_SHARE and first < last - 5:
            row["end_day"] = int(rng.integers(first, last - 3))
        elif i not in coming and draw < _ENDED_SHARE + _ENDING_SHARE:
            row["end_day"] = int(rng.integers(last + 2, last + 60))


def _campaigns(rows: list[dict[str, Any]], config: DemoConfig) -> list[CampaignPlan]:
    """Choose the preorder styles and schedule them; a preorder style goes on ordinary sale after its batch came."""
    rng = stream(config.seed, "campaigns")
    count = config.n_past_campaigns + config.n_open_campaigns
    costumes = [i for i, r in enumerate(rows) if r["category"] == "costume"]
    keep = set(costumes[: max(1, (2 * len(costumes)) // 3)])
    chosen = [
        i for i, r in enumerate(rows) if r["product_type"] in _PREORDER_TYPES and not r["is_drop"] and i not in keep
    ]
    spare = [i for i, r in enumerate(rows) if i not in chosen and i not in keep and not r["is_drop"]]
    sewn = [i for i in chosen if rows[i]["category"] == "costume"][: count // 5]
    rest = [int(i) for i in rng.permutation([i for i in chosen if i not in sewn])]
    styles = [int(i) for i in rng.permutation([*sewn, *rest[: count - len(sewn)]])]
    styles += spare[: count - len(styles)]
    plans = campaign_schedule(styles, [str(rows[i]["supplier_id"]) for i in styles], config=config, rng=rng)
    for plan in plans:
        row = rows[plan.style_index]
        row["campaign"], row["end_day"] = plan.campaign_id, NEVER
        row["in_north"] = row["in_south"] = False
        row["launch_day"] = plan.receive_day if plan.fate == "fulfilled" else plan.promised_day
        if plan.fate == "cancelled":
            row["launch_day"] = NEVER
        elif plan.fate != "fulfilled":
            row["launch_day"] = max(plan.promised_day, config.n_days + 3)
    return plans


def _with_pairs(styles: pl.DataFrame, config: DemoConfig) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Plant combinations that sell beyond their parts: IP x product type, and colour x motif.

    Styles differ among themselves by a factor of three, so only a combination that a dozen of them carry can be told
    from luck by anyone; pairs are planted among those, and among the most common ones in a shop too small for them.
    """
    rng = stream(config.seed, "pairs")
    found: list[dict[str, Any]] = []
    for first, second in (("ip", "product_type"), ("colour", "motif")):
        both = styles.filter(pl.col(first).is_not_null() & pl.col(second).is_not_null())
        counts = both.group_by(first, second).len().sort("len", first, second, descending=[True, False, False])
        common = counts.head(max(int((counts["len"] >= _PAIR_STYLES).sum()), config.n_pairs))
        for i in sorted(int(i) for i in rng.permutation(len(common))[: config.n_pairs // 2]):
            names = {"first": common[first][i], "second": common[second][i]}
            found.append({"kind": f"{first}_x_{second}", **names, "lift": _PAIR_LIFT})
    lift = pl.lit(1.0)
    for pair in found:
        a, b = str(pair["kind"]).split("_x_")
        hit = (pl.col(a).fill_null("") == pair["first"]) & (pl.col(b).fill_null("") == pair["second"])
        lift = lift * pl.when(hit).then(_PAIR_LIFT).otherwise(1.0)
    return styles.with_columns(popularity=pl.col("popularity") * lift), pl.DataFrame(found)


def _skus(styles: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Return the SKUs: one a style, or one a size."""
    rows: list[dict[str, Any]] = []
    for index, (style_id, category) in enumerate(styles.select("style_id", "category").rows()):
        if category not in _SIZED:
            rows.append({"sku": style_id, "style": index, "size": None, "size_group": None, "size_share": 1.0})
            continue
        shares = rng.dirichlet(np.array(SIZE_SHARES) * 60.0)
        for size, share in zip(SIZES, shares, strict=True):
            group = "extended" if size in EXTENDED_SIZES else "standard"
            row = {"sku": f"{style_id}-{size}", "style": index, "size": size, "size_group": group}
            rows.append({**row, "size_share": float(share)})
    return pl.DataFrame(rows, infer_schema_length=None)


def _series(styles: pl.DataFrame, skus: pl.DataFrame) -> pl.DataFrame:
    """Return the SKU-locations: the web warehouse carries everything, a shop what it was given."""
    style = skus["style"].to_numpy()
    carried = [np.ones(len(skus), bool), styles["in_north"].to_numpy()[style], styles["in_south"].to_numpy()[style]]
    parts = []
    for location, mask in enumerate(carried):
        rows = np.flatnonzero(mask)
        parts.append(
            pl.DataFrame(
                {
                    "sku_index": rows,
                    "style": style[rows],
                    "location": np.full(len(rows), location),
                    "place_share": np.full(len(rows), _PLACE_SHARE[location]),
                }
            )
        )
    return pl.concat(parts).sort("sku_index", "location")
