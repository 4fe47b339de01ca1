"""How far return rates lie above or below their category's: a posterior for each cell, learnt from all cells together.

The ratios of all cells follow one distribution that is not known beforehand: most lie near one, a few, whose text or
pattern is at fault, far above. It is estimated on a grid of ratios from the cells themselves (nonparametric empirical
Bayes: Kiefer and Wolfowitz 1956, Efron 2016), so what is ordinary in a shop is neither drowned by its few faults nor
do the faults shrink to what is ordinary, as they do where one bell curve has to describe both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from demand.panel import Floats

__all__ = ["RatioPosterior", "ratio_posterior"]

_RATIOS: Floats = np.exp(np.linspace(np.log(1 / 8), np.log(8.0), 97))
_STEP = float(np.log(64.0)) / 96  # from one ratio to the next, in the logarithm
_ORDINARY_SPREAD = 0.3  # of the log ratio of ordinary cells, before anything is seen
_ODD_SHARE = 0.05  # of cells that may lie anywhere on the grid, before anything is seen (0-1)
_PRIOR_CELLS = 10.0  # so many cells weigh as much as what is assumed before anything is seen [cells]
_ROUNDS = 30  # of expectation and maximisation; stopping early keeps the distribution smooth (Efron 2016)
_NODES = 9  # quantiles that stand for what the category's rate may be
_LARGEST_RATE = 0.999


@dataclass(frozen=True)
class RatioPosterior:
    """Posterior of each cell's ratio to its category's return rate; shapes (n_cells,) and (n_cells, n_ratios)."""

    weights: Floats

    @property
    def mean(self) -> Floats:
        """Return the expected ratio of each cell."""
        out: Floats = self.weights @ _RATIOS
        return out

    def above(self, limit: float) -> Floats:
        """Return the probability that the ratio exceeds ``limit`` (0-1)."""
        out: Floats = self.weights[:, limit < _RATIOS].sum(axis=1)
        return out

    def quantile(self, share: float) -> Floats:
        """Return the ratio below which it lies with probability ``share``; each point stands for the step around it."""
        below = np.cumsum(self.weights, axis=1)
        at = np.minimum((below < share).sum(axis=1), len(_RATIOS) - 1)
        row = np.arange(len(at))
        within = 1.0 - (below[row, at] - share) / np.maximum(self.weights[row, at], 1e-12)
        out: Floats = _RATIOS[at] * np.exp(_STEP * (np.clip(within, 0.0, 1.0) - 0.5))
        return out


def ratio_posterior(back: Floats, exposed: Floats, rest_back: Floats, rest_exposed: Floats) -> RatioPosterior:
    """Return the posterior of each cell's return rate over that of the rest of its category.

    Args:
        back: independent returns of each cell, shape (n_cells,).
        exposed: independent sales whose returns are known, shape (n_cells,).
        rest_back: the same of the rest of the cell's category, shape (n_cells,).
        rest_exposed: the same of its sales, shape (n_cells,).

    >>> found = ratio_posterior(*(np.array([x]) for x in (40.0, 100.0, 1000.0, 10_000.0)))
    >>> bool(found.above(1.5)[0] > 0.99)
    True
    """
    before = _assumed()
    fits = _likelihood(back, exposed, rest_back, rest_exposed)
    cells = _PRIOR_CELLS * before
    weights = np.zeros_like(fits)
    for _ in range(_ROUNDS):
        weights = fits * cells
        weights /= weights.sum(axis=1, keepdims=True)
        cells = weights.sum(axis=0) + _PRIOR_CELLS * before
    # a cell is judged by what the others teach: its own excess must not vouch for itself
    weights = fits * (cells - weights)
    return RatioPosterior(weights / weights.sum(axis=1, keepdims=True))


def _assumed() -> Floats:
    """Return the distribution of ratios before anything is seen: nearly all near one, a few anywhere."""
    near = stats.norm.pdf(np.log(_RATIOS), 0.0, _ORDINARY_SPREAD)
    out: Floats = (1.0 - _ODD_SHARE) * near / near.sum() + _ODD_SHARE / len(_RATIOS)
    return out


def _likelihood(back: Floats, exposed: Floats, rest_back: Floats, rest_exposed: Floats) -> Floats:
    """Return the binomial likelihood of each ratio, shape (n_cells, n_ratios), largest 1, over what the category is."""
    kept = np.maximum(exposed - back, 0.0)
    a, b = rest_back + 0.5, np.maximum(rest_exposed - rest_back, 0.0) + 0.5
    total, top = np.zeros((len(back), len(_RATIOS))), np.full((len(back), 1), -np.inf)
    for node in (np.arange(_NODES) + 0.5) / _NODES:
        usual: Floats = np.asarray(stats.beta.ppf(node, a, b))
        rate = np.clip(usual[:, None] * _RATIOS, 1e-9, _LARGEST_RATE)
        logs = back[:, None] * np.log(rate) + kept[:, None] * np.log1p(-rate)
        highest = np.maximum(top, logs.max(axis=1, keepdims=True))
        total = total * np.exp(top - highest) + np.exp(logs - highest)
        top = highest
    out: Floats = total / total.max(axis=1, keepdims=True)
    return out
