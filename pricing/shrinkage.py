"""Hierarchical shrinkage: what a SKU's own sales say, and what those of its style, type and category say.

On the scale of elasticities or that of :mod:`pricing.log_scale`. A tree of normal effects, SKU -> style -> product
type -> category -> prior. Messages go up (what each level learns from those below) and down (what it is told by the one
above), so that no observation counts twice: the exact posterior of the tree (Pearl 1988). The spread of styles about
their type is learnt from all types together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pricing.config import PricingConfig

__all__ = ["Posterior", "Tree", "shrunk"]

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

_LEAST_STYLES = 30  # [styles] fewer tell nothing about spreads
_TAIL = 8.0  # [1] degrees of freedom
_TAIL_SCALE = 6.493  # [1] such that a normal is given its own variance: (8 + 1) E[z^2 / (c + z^2)] = 1
_TRIED_FACTORS = np.round(np.exp(np.arange(0.0, 1.45, 0.1)), 2)  # [1] factors on variances that are tried
_TRIED_SD = np.round(np.arange(0.05, 1.25, 0.05), 2)  # [1] spreads that are tried
_PRIOR_SHAPE, _PRIOR_MEAN = 8.0, 0.4  # [1] of its gamma prior, 0.4 +- 0.14, which keeps it off zero (Chung et al. 2013)
_NOTHING = 1e12  # variance that stands for knowing nothing


@dataclass(frozen=True)
class Tree:
    """Codes of the parents: ``style_of`` a SKU, ``kind_of`` a style, ``category_of`` a type.

    ``alone``: the SKU is the only one of its style.
    """

    style_of: Codes
    kind_of: Codes
    category_of: Codes
    alone: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Posterior:
    """Means and variances of SKUs and types, and the level that contributes most to each."""

    sku_mean: Floats
    sku_variance: Floats
    sku_level: npt.NDArray[np.str_]
    kind_mean: Floats
    kind_variance: Floats
    kind_level: npt.NDArray[np.str_]


def shrunk(
    sku: tuple[Floats, Floats], style: tuple[Floats, Floats], tree: Tree, *, config: PricingConfig, on_log: bool = False
) -> Posterior:
    """Return the posterior of SKUs and product types.

    Args:
        sku: own estimates and variances of SKUs (infinite: none).
        style: those of styles, from the sales of all their SKUs.
        tree: who belongs to whom.
        config: priors and spreads, stated as elasticities.
        on_log: estimates are of ``log(-e)``; spreads are then taken as shares of the prior elasticity.
    """
    unit = 1 / abs(config.prior_elasticity) if on_log else 1.0
    b, v = _known(*style)
    sd, factor = _spread(b, v, tree.kind_of)
    tau2, v = max(sd, config.least_sku_sd * unit) ** 2, np.where(v < _NOTHING, v * factor, v)
    n_kinds, n_categories = len(tree.category_of), int(tree.category_of.max(initial=-1)) + 1
    between = (config.between_categories_sd * unit) ** 2
    kind_up = _pooled(b, v + tau2, tree.kind_of, n_kinds)
    category_up = _pooled(kind_up[0], kind_up[1] + between, tree.category_of, n_categories)
    centre = np.log(-config.prior_elasticity) if on_log else config.prior_elasticity
    wide = (config.prior_elasticity_sd * unit) ** 2
    prior = (np.full(n_categories, centre), np.full(n_categories, wide))
    category, _ = _combined(category_up, prior)
    kind, kind_weight = _told(kind_up, category, tree.category_of, between)
    posterior, style_weight = _told((b, v), kind, tree.kind_of, tau2)
    within = np.where(tree.alone, 1e-8, (config.within_style_sd * unit) ** 2)
    own, sku_weight = _told(_known(sku[0], sku[1] * factor), posterior, tree.style_of, within)
    has_category = (category_up[1] < _NOTHING)[tree.category_of]
    kind_level = np.select([kind_weight >= 0.5, has_category], ["product_type", "category"], default="prior")
    above = np.where(style_weight >= 0.5, "style", kind_level[tree.kind_of])[tree.style_of]
    above = np.where(tree.alone & (above == "style"), "sku", above)
    level = np.where(~tree.alone & (sku_weight >= 0.5), "sku", above)
    return Posterior(own[0], own[1], level, kind[0], kind[1], kind_level)


def _known(b: Floats, v: Floats) -> tuple[Floats, Floats]:
    known = np.isfinite(b) & np.isfinite(v)
    return np.where(known, b, 0.0), np.where(known, np.maximum(v, 1e-6), _NOTHING)


def _spread(b: Floats, v: Floats, kind: Codes) -> tuple[float, float]:
    """The spread of styles about their type and the factor on their variances, averaged over their posterior.

    Styles differ in how well they are known, so both can be told apart: what imprecise styles deviate beyond their
    variances speaks for the factor, what precise ones do for the spread.
    """
    known = v < _NOTHING
    if known.sum() < _LEAST_STYLES:
        return 0.0, 1.0
    b, v, kind = b[known], v[known], kind[known]
    scores = np.array([[_likelihood(b, v * f, kind, sd) + _log_prior(sd) for sd in _TRIED_SD] for f in _TRIED_FACTORS])
    weight = np.exp(scores - scores.max())
    weight /= weight.sum()
    sd = float(np.sqrt((weight.sum(axis=0) * _TRIED_SD**2).sum()))
    return sd, float((weight.sum(axis=1) * _TRIED_FACTORS).sum())


def _log_prior(sd: float) -> float:
    return float((_PRIOR_SHAPE - 1) * np.log(sd) - _PRIOR_SHAPE * sd / _PRIOR_MEAN)


def _likelihood(b: Floats, v: Floats, kind: Codes, sd: float) -> float:
    """Restricted log likelihood; tails are those of a t with 8 degrees of freedom, scaled to be right for a normal.

    A t of the same variance would find normal deviations 8% too variable, and take that for spread.
    """
    w = 1 / (v + sd**2)
    size = int(kind.max()) + 1
    mass = np.bincount(kind, weights=w, minlength=size)
    mean = np.bincount(kind, weights=w * b, minlength=size) / np.maximum(mass, 1e-12)
    z = (b - mean[kind]) * np.sqrt(w)
    tails = -0.5 * (_TAIL + 1) * np.log1p(z**2 / _TAIL_SCALE).sum()  # of log densities of a t; the constant is left out
    fit = tails + 0.5 * np.log(w).sum()
    return float(fit - 0.5 * np.log(mass[mass > 0]).sum())


def _pooled(b: Floats, v: Floats, group: Codes, size: int) -> tuple[Floats, Floats]:
    """Precision-weighted mean of each group and its variance."""
    w = np.where(v < _NOTHING, 1 / v, 0.0)
    mass = np.bincount(group, weights=w, minlength=size)
    mean = np.bincount(group, weights=w * b, minlength=size) / np.maximum(mass, 1e-12)
    return mean, np.where(mass > 0, 1 / np.maximum(mass, 1e-12), _NOTHING)


def _combined(one: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> tuple[tuple[Floats, Floats], Floats]:
    """Product of two normals, and the weight of the first (0-1)."""
    precise = 1 / one[1] + 1 / other[1]
    weight = 1 / one[1] / precise
    return (weight * one[0] + (1 - weight) * other[0], 1 / precise), weight


def _told(
    below: tuple[Floats, Floats], parent: tuple[Floats, Floats], of: Codes, spread2: float | Floats
) -> tuple[tuple[Floats, Floats], Floats]:
    """Posterior of children given what they learnt themselves and the posterior of their parents.

    ``below`` went up into ``parent`` already: given its parent a child is k b + (1 - k) m, and the parent's own
    uncertainty comes on top with (1 - k)^2.
    """
    given, weight = _combined(below, (parent[0][of], np.broadcast_to(np.asarray(spread2, dtype=float), below[0].shape)))
    variance = given[1] + (1 - weight) ** 2 * parent[1][of]
    # the share of the answer that is the child's own also counts what the parent's posterior holds of it
    total = np.clip(1 - (1 - weight) * _rest(below, parent, of, spread2), 0.0, 1.0)
    return (given[0], variance), total


def _rest(below: tuple[Floats, Floats], parent: tuple[Floats, Floats], of: Codes, spread2: float | Floats) -> Floats:
    """Share of the parent's precision that does not come from the child (0-1)."""
    return np.asarray(np.clip(1 - parent[1][of] / (below[1] + np.asarray(spread2)), 0.0, 1.0), dtype=float)
