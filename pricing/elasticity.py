"""Own-price elasticities of SKUs and product types: a response model, then shrinkage up the hierarchy.

The weeks that can teach become a panel (:mod:`pricing.panel`), one model of how demand answers to price, season,
promotions, trend, weather and events is fitted to it (:mod:`pricing.response`), and what each SKU and style says for
itself is shrunk toward its type and category (:mod:`pricing.shrinkage`). Weeks without sales stay in; stocked-out,
closed and partial days were left out before, and days on promotion where the regular price is known. Which form demand
has is learnt first (:mod:`pricing.form`); where it is nearer a straight line, shrinkage is on the scale of ``log(-e)``
(:mod:`pricing.log_scale`). At the end every elasticity is below zero.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from pricing.config import PricingConfig
from pricing.curve import CONSTANT, Form
from pricing.form import learnt_form
from pricing.log_scale import (
    cut_at_zero,
    from_log_scale,
    log_markup,
    markup_effect,
    on_log_scale,
)
from pricing.panel import Codes, Floats, make_panel, usable_weeks
from pricing.response import fit_response, own_slopes
from pricing.shrinkage import Posterior, Tree, shrunk

__all__ = ["ALL", "estimate_elasticities"]

ALL = "*"
_PASSES = 3
_FIRST_SD, _LATER_SD = 1.0, 0.6  # [log] spread about types that sites are reckoned against
_LEAST_SPREAD = 0.01  # [log price] below it a price never really moved

Own = tuple[Floats, Floats]


def estimate_elasticities(weekly: pd.DataFrame, products: pd.DataFrame, *, config: PricingConfig) -> pd.DataFrame:
    """Return own-price elasticities of every SKU and product type, in the shape of the table ``elasticities``.

    Args:
        weekly: ``sku``, ``location_id``, ``week`` (date), ``units``, ``days`` (days on sale with stock), ``price``
            (average paid, null without sales), ``regular_price`` (in force, null: unknown); of the controls of
            :mod:`pricing.panel` those that are known.
        products: ``sku``, ``product_type``, ``category`` of every SKU that needs an estimate; ``style_id`` and
            ``unit_cost`` if known.
        config: validated settings.

    Returns:
        One row per SKU and one per product type (``sku`` is ``*``), with the posterior mean, the 90% interval, the
        level that contributes most, periods used and distinct prices seen. Elasticities are those at ``at_price``,
        the geometric mean of the prices seen; ``curvature`` says how they change away from it
        (:mod:`pricing.curve`).
    """
    items = _items(products)
    rows = usable_weeks(weekly, items)
    form = learnt_form(rows, items, drift_sd=config.drift_sd_per_week) if len(rows) else CONSTANT
    own, style = _own_estimates(rows, items, config, form)
    tree = _tree(items)
    seen = _seen(rows, items)
    posterior, on_log = _posterior(own, style, tree, _markups(items, seen, tree), form, config)
    shown = from_log_scale if on_log else cut_at_zero
    skus = shown(posterior.sku_mean, posterior.sku_variance).assign(
        product_type=items["product_type"].to_numpy(),
        sku=items["sku"].to_numpy(),
        elasticity_level=posterior.sku_level,
        n_periods=seen["n_periods"].to_numpy(),
        n_prices=seen["n_prices"].to_numpy(),
        at_price=seen["at_price"].to_numpy(),
    )
    totals = skus.groupby("product_type", sort=True)[["n_periods", "n_prices"]].sum()
    types = shown(posterior.kind_mean, posterior.kind_variance).assign(
        product_type=totals.index.to_numpy(),
        sku=ALL,
        elasticity_level=posterior.kind_level,
        n_periods=totals["n_periods"].to_numpy(),
        n_prices=totals["n_prices"].to_numpy(),
        at_price=np.nan,
    )
    table = pd.concat([skus, types], ignore_index=True).sort_values(["product_type", "sku"], ignore_index=True)
    table = table.assign(curvature=form.curvature(table["elasticity"].to_numpy(dtype=float)))
    names = ["product_type", "sku", "elasticity", "elasticity_lo", "elasticity_hi", "elasticity_level"]
    return table[[*names, "at_price", "curvature", "n_periods", "n_prices"]]


def _items(products: pd.DataFrame) -> pd.DataFrame:
    """One row a SKU with type, category and ``stem``: its style within the type, or itself."""
    items = products.drop_duplicates("sku").sort_values("sku", ignore_index=True)
    kind = items["product_type"].where(items["product_type"].notna(), "?").astype(str)
    category = items["category"].where(items["category"].notna(), "?").astype(str)
    style = items["style_id"] if "style_id" in items.columns else pd.Series(None, index=items.index, dtype=object)
    stem = style.where(style.notna(), items["sku"]).astype(str)
    found = items.assign(product_type=kind, category=category, stem=kind + "\x1f" + stem)
    cost = items["unit_cost"].astype(float) if "unit_cost" in items.columns else np.nan
    return found.assign(unit_cost=cost)[["sku", "stem", "product_type", "category", "unit_cost"]]


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


def _markups(items: pd.DataFrame, seen: pd.DataFrame, tree: Tree) -> Floats:
    """The log markup of each SKU at the mean of its prices, about that of its type."""
    price, cost = seen["at_price"].to_numpy(dtype=float), items["unit_cost"].to_numpy(dtype=float)
    return log_markup(price, cost, tree.kind_of[tree.style_of])


def _posterior(
    own: Own, style: Own, tree: Tree, markup: Floats, form: Form, config: PricingConfig
) -> tuple[Posterior, bool]:
    """The posterior, and whether it is of ``log(-e)``; what margins say is taken out before and given back after."""
    counts = np.maximum(np.bincount(tree.style_of, minlength=len(tree.kind_of)), 1)
    by_style = np.bincount(tree.style_of, weights=markup, minlength=len(tree.kind_of)) / counts

    def given_margins(sku: Own, stem: Own, *, on_log: bool) -> tuple[Posterior, float]:
        effect, variance = markup_effect(*stem, by_style, tree.kind_of)
        found = shrunk(
            (sku[0] - effect * markup, sku[1]), (stem[0] - effect * by_style, stem[1]), tree, config=config,
            on_log=on_log,
        )  # fmt: skip
        mean, wide = found.sku_mean + effect * markup, found.sku_variance + variance * markup**2
        return replace(found, sku_mean=mean, sku_variance=wide), effect

    found, _ = given_margins(own, style, on_log=False)
    if not form.is_steepening:
        return found, False
    middle, effect, sd = np.full(len(tree.category_of), np.log(-config.prior_elasticity)), 0.0, _FIRST_SD
    for _ in range(_PASSES):  # what sales say is put on the log scale anew about what their types turn out to be
        centre = middle[tree.kind_of] + effect * by_style
        stem = on_log_scale(*style, centre=centre, sd=sd)
        sku = on_log_scale(*own, centre=centre[tree.style_of], sd=sd)
        found, effect = given_margins(sku, stem, on_log=True)
        middle, sd = found.kind_mean, _LATER_SD
    return found, True


def _own_estimates(rows: pd.DataFrame, items: pd.DataFrame, config: PricingConfig, form: Form) -> tuple[Own, Own]:
    """What each SKU and each style says for itself; infinite variance where nothing was learnt."""
    n_skus, n_stems = len(items), items["stem"].nunique()
    if rows.empty:
        return _nothing(n_skus), _nothing(n_stems)
    panel = make_panel(rows, items)
    drift = config.drift_sd_per_week
    model = fit_response(panel, n_kinds=items["product_type"].nunique(), drift_sd=drift, form=form)

    def estimates(group: Codes, n: int) -> Own:
        found = own_slopes(panel, model, group, n_groups=n, drift_sd=drift, form=form)
        spread = np.bincount(group, weights=panel.log_price**2, minlength=n)
        moved = np.sqrt(spread / np.maximum(np.bincount(group, minlength=n), 1)) > _LEAST_SPREAD
        return found.estimate, np.where(moved, found.variance, np.inf)

    style = estimates(panel.stem, n_stems)
    return estimates(panel.sku, n_skus) if n_stems < n_skus else _nothing(n_skus), style


def _nothing(n: int) -> Own:
    return np.zeros(n), np.full(n, np.inf)


def _seen(rows: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    """Weeks used, distinct prices and their geometric mean, of each SKU."""
    seen = rows["price"].round(2).groupby(rows["sku"], sort=False).agg(["size", "nunique"])
    found = seen.reindex(items["sku"]).fillna(0).astype("int64")
    found = found.rename(columns={"size": "n_periods", "nunique": "n_prices"})
    middle = rows["log_price"].astype(float).groupby(rows["sku"], sort=False).mean().reindex(items["sku"])
    return found.assign(at_price=np.exp(middle.to_numpy(dtype=float))).reset_index(drop=True)
