"""Which form demand has in a shop: constant elasticity, exponential or a straight line, as its own sales say.

Each form is fitted to the same weeks, SKU by SKU; all have as many parameters, so their quasi likelihoods can be
compared as they stand. What comes out is the mean of the forms by their posterior weights (Hoeting et al. 1999): with
little evidence near constant elasticity, with more near the form that predicts best. Re-estimated whenever
elasticities are, it follows what price changes teach.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from pricing.curve import CONSTANT, EXPONENTIAL, LINEAR, Form
from pricing.panel import make_panel
from pricing.response import fit_response, own_slopes

__all__ = ["learnt_form"]

_FORMS = (CONSTANT, EXPONENTIAL, LINEAR)
_PRIOR = np.log([0.5, 0.25, 0.25])
_MOST_SKUS = 400  # [SKUs] more say nothing new about a form all share
_PULL_SD = 1.0  # [1] slopes of SKUs about that of their type, while forms are compared


def learnt_form(rows: pd.DataFrame, items: pd.DataFrame, *, drift_sd: float) -> Form:
    """Return the mean of the forms, weighted by how well they fit.

    Args:
        rows: from :func:`pricing.panel.usable_weeks`, at least one.
        items: as for :func:`pricing.panel.make_panel`.
        drift_sd: how far the level of a series wanders [log units per square root of a week].
    """
    known = items.loc[items["sku"].isin(rows["sku"]), "sku"]
    sample = known.iloc[:: -(-len(known) // _MOST_SKUS)]
    part = rows[rows["sku"].isin(sample)].reset_index(drop=True)
    chosen = items[items["sku"].isin(sample)].reset_index(drop=True)
    panel = make_panel(part, chosen)
    n_kinds, n_skus = chosen["product_type"].nunique(), len(chosen)
    fits, dispersion = [], None
    for form in _FORMS:
        model = fit_response(panel, n_kinds=n_kinds, drift_sd=drift_sd, form=form)
        dispersion = model.dispersion if dispersion is None else dispersion
        own = own_slopes(
            panel, replace(model, dispersion=dispersion), panel.sku, n_groups=n_skus, drift_sd=drift_sd, form=form,
            pull_sd=_PULL_SD,
        )  # fmt: skip
        fits.append(own.likelihood)
    score = _PRIOR + np.array(fits)
    weight = np.exp(score - score.max())
    weight /= weight.sum()
    return Form(
        base=float(sum(w * f.base for w, f in zip(weight, _FORMS, strict=True))),
        slope=float(sum(w * f.slope for w, f in zip(weight, _FORMS, strict=True))),
    )
