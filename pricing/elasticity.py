"""Own-price elasticities of SKUs and product types: a response model, then shrinkage up the hierarchy.

The weeks that can teach become a panel (:mod:`pricing.panel`), one model of how demand answers to price, season,
promotions, trend, weather and events is fitted to it (:mod:`pricing.response`), and what each SKU and style says for
itself is shrunk toward its type and category (:mod:`pricing.shrinkage`). Weeks without sales stay in; stocked-out,
closed and partial days were left out before, and days on promotion where the regular price is known. The sign is
imposed at the end, on the posterior: elasticities are below zero.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pricing.config import PricingConfig
from pricing.panel import Codes, Floats, make_panel, usable_weeks
from pricing.response import fit_response, own_slopes
from pricing.shrinkage import Tree, cut_at_zero, shrunk

__all__ = ["ALL", "estimate_elasticities"]

ALL = "*"
_LEAST_SPREAD = 0.01  # [log price] below it a price never really moved

Own = tuple[Floats, Floats]


def estimate_elasticities(weekly: pd.DataFrame, products: pd.DataFrame, *, config: PricingConfig) -> pd.DataFrame:
    """Return own-price elasticities of every SKU and product type, in the shape of the table ``elasticities``.

    Args:
        weekly: ``sku``, ``location_id``, ``week`` (date), ``units``, ``days`` (days on sale with stock), ``price``
            (average paid, null without sales), ``regular_price`` (in force, null: unknown); of the controls of
            :mod:`pricing.panel` those that are known.
        products: ``sku``, ``product_type``, ``category`` of every SKU that needs an estimate; ``style_id`` if known.
        config: validated settings.

    Returns:
        One row per SKU and one per product type (``sku`` is ``*``), with the posterior mean, the 90% interval, the
        level that contributes most, periods used and distinct prices seen.
    """
    items = _items(products)
    rows = usable_weeks(weekly, items)
    own, style = _own_estimates(rows, items, config)
    tree = _tree(items)
    posterior = shrunk(own, style, tree, config=config)
    seen = _seen(rows, items)
    skus = cut_at_zero(posterior.sku_mean, posterior.sku_variance).assign(
        product_type=items["product_type"].to_numpy(),
        sku=items["sku"].to_numpy(),
        elasticity_level=posterior.sku_level,
        n_periods=seen["n_periods"].to_numpy(),
        n_prices=seen["n_prices"].to_numpy(),
    )
    totals = skus.groupby("product_type", sort=True)[["n_periods", "n_prices"]].sum()
    types = cut_at_zero(posterior.kind_mean, posterior.kind_variance).assign(
        product_type=totals.index.to_numpy(),
        sku=ALL,
        elasticity_level=posterior.kind_level,
        n_periods=totals["n_periods"].to_numpy(),
        n_prices=totals["n_prices"].to_numpy(),
    )
    table = pd.concat([skus, types], ignore_index=True).sort_values(["product_type", "sku"], ignore_index=True)
    names = ["product_type", "sku", "elasticity", "elasticity_lo", "elasticity_hi", "elasticity_level"]
    return table[[*names, "n_periods", "n_prices"]]


def _items(products: pd.DataFrame) -> pd.DataFrame:
    """One row a SKU with type, category and ``stem``: its style within the type, or itself."""
    items = products.drop_duplicates("sku").sort_values("sku", ignore_index=True)
    kind = items["product_type"].where(items["product_type"].notna(), "?").astype(str)
    category = items["category"].where(items["category"].notna(), "?").astype(str)
    style = items["style_id"] if "style_id" in items.columns else pd.Series(None, index=items.index, dtype=object)
    stem = style.where(style.notna(), items["sku"]).astype(str)
    found = items.assign(product_type=kind, category=category, stem=kind + "\x1f" + stem)
    return found[["sku", "stem", "product_type", "category"]]


def _tree(items: pd.DataFrame) -> Tree:
    style_of, stems = pd.factorize(items["stem"], sort=True)
    kinds = pd.Index(sorted(items["product_type"].unique()))
    first = items.drop_duplicates("stem").set_index("stem")["product_type"].reindex(stems)
    category = items.drop_duplicates("product_type").set_index("product_type")["category"].reindex(kinds)
    return Tree(
        style_of=style_of.astype(np.int64),
        kind_of=kinds.get_indexer(first).astype(np.int64),
        category_of=pd.factorize(category, sort=True)[0].astype(np.int64),
        alone=np.bincount(style_of, minlength=len(stems))[style_of] == 1,
    )


def _own_estimates(rows: pd.DataFrame, items: pd.DataFrame, config: PricingConfig) -> tuple[Own, Own]:
    """What each SKU and each style says for itself; infinite variance where nothing was learnt."""
    n_skus, n_stems = len(items), items["stem"].nunique()
    if rows.empty:
        return _nothing(n_skus), _nothing(n_stems)
    panel = make_panel(rows, items)
    drift = config.drift_sd_per_week
    model = fit_response(panel, n_kinds=items["product_type"].nunique(), drift_sd=drift)

    def estimates(group: Codes, n: int) -> Own:
        found = own_slopes(panel, model, group, n_groups=n, drift_sd=drift)
        spread = np.bincount(group, weights=panel.log_price**2, minlength=n)
        moved = np.sqrt(spread / np.maximum(np.bincount(group, minlength=n), 1)) > _LEAST_SPREAD
        return found.estimate, np.where(moved, found.variance, np.inf)

    style = estimates(panel.stem, n_stems)
    return (estimates(panel.sku, n_skus) if n_stems < n_skus else style), style


def _nothing(n: int) -> Own:
    return np.zeros(n), np.full(n, np.inf)


def _seen(rows: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    """Weeks used and distinct prices of each SKU."""
    seen = rows["price"].round(2).groupby(rows["sku"], sort=False).agg(["size", "nunique"])
    found = seen.reindex(items["sku"]).fillna(0).astype("int64")
    return found.rename(columns={"size": "n_periods", "nunique": "n_prices"}).reset_index(drop=True)
