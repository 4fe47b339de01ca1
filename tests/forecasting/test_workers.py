"""A Dask cluster gives the very forecasts of this process."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from forecast_shops import no_tables, panel_of, shop_units

from data.errors import SourceError
from forecasting import learner as learner_module
from forecasting import models
from forecasting.backtest import Inputs, candidates, learner_as_of
from forecasting.config import ForecastConfig, LearnerConfig, WorkersConfig
from forecasting.features import price_matrix
from forecasting.models import LEARNER
from forecasting.workers import HERE, Workers, workers_of

ORIGIN, HORIZON = 180, 14
CONFIG = ForecastConfig(learner=LearnerConfig(trees=20, leaves=8, min_rows=500, max_rows=1500))


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """A local cluster of two processes; its address."""
    distributed = pytest.importorskip("distributed", reason="the extra merchcast[dask] is not installed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as running:
        yield running.scheduler_address


def forecasts(workers: Workers) -> dict[str, np.ndarray]:
    units = shop_units(24, ORIGIN)
    panel = panel_of(units)
    inputs = Inputs(panel, np.arange(len(units)), no_tables(), price_matrix(panel, no_tables(), horizon=40))
    learner = learner_as_of(inputs, origin=ORIGIN, config=CONFIG, seed=1, workers=workers)
    return candidates(inputs, panel, origin=ORIGIN, horizon=HORIZON, config=CONFIG, learner=learner, workers=workers)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")  # distributed's own
def test_a_cluster_gives_the_same_forecasts(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = forecasts(HERE)
    monkeypatch.setattr(learner_module, "_SHARD_CELLS", 5 * ORIGIN)
    monkeypatch.setattr(models, "_SHARD_CELLS", 7 * ORIGIN)
    sharded = forecasts(HERE)
    with workers_of(WorkersConfig(engine="dask", address=cluster)) as workers:
        afar = forecasts(workers)
    assert np.isfinite(whole[LEARNER]).all()
    for name, values in whole.items():
        np.testing.assert_array_equal(sharded[name], values, err_msg=name)
        np.testing.assert_array_equal(afar[name], values, err_msg=name)


def test_a_scheduler_that_does_not_answer_is_a_clear_error() -> None:
    pytest.importorskip("distributed", reason="the extra merchcast[dask] is not installed")
    settings = WorkersConfig(engine="dask", address="tcp://127.0.0.1:9", timeout_seconds=0.2)
    with pytest.raises(SourceError, match=r"no Dask scheduler at tcp://127\.0\.0\.1:9"), workers_of(settings):
        pass
