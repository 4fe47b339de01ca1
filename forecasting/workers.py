"""Who does the work on a shard of series: this process, or the workers of an existing Dask cluster.

Every function that is mapped looks at its own shard alone, so the results do not depend on who computes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from data.errors import ConfigError, SourceError
from forecasting.config import WorkersConfig

__all__ = ["HERE", "Workers", "shards", "workers_of"]

T = TypeVar("T")


class Workers(Protocol):
    """Maps a function over shards and returns the results in their order."""

    def map(self, function: Callable[..., T], parts: Iterable[tuple[Any, ...]]) -> list[T]:
        """Return ``function(*part)`` for each part."""
        ...


class _Here:
    """This process, one shard after the other, so that only one is in memory at a time."""

    def map(self, function: Callable[..., T], parts: Iterable[tuple[Any, ...]]) -> list[T]:
        return [function(*part) for part in parts]


HERE: Workers = _Here()


class _Dask:
    """The workers of a Dask cluster."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def map(self, function: Callable[..., T], parts: Iterable[tuple[Any, ...]]) -> list[T]:
        futures = [self.client.submit(_called, function, part, pure=False) for part in parts]
        results: list[T] = self.client.gather(futures)
        return results


def _called(function: Callable[..., T], part: tuple[Any, ...]) -> T:
    import os

    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before LightGBM is imported there
    return function(*part)


@contextmanager
def workers_of(config: WorkersConfig) -> Iterator[Workers]:
    """Yield the workers that the settings name.

    Raises:
        ConfigError: Dask is asked for and not installed.
        SourceError: nobody answers at the scheduler's address.
    """
    if config.engine == "local":
        yield HERE
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise ConfigError(
            "forecasting.workers.engine is dask: install merchcast with its extra, merchcast[dask]"
        ) from error
    try:
        client: Any = Client(config.address, timeout=config.timeout_seconds)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError) as error:
        raise SourceError(
            f"no Dask scheduler at {config.address} within {config.timeout_seconds:g} s: start it, or set "
            "forecasting.workers.engine: local"
        ) from error
    try:
        yield _Dask(client)
    finally:
        client.close()


def shards(rows: NDArray[np.int64], *, width: int, cells: int) -> list[NDArray[np.int64]]:
    """Return ``rows`` in consecutive parts of at most ``cells`` cells of ``width`` periods each, one row at least.

    >>> [part.tolist() for part in shards(np.arange(5), width=10, cells=20)]
    [[0, 1], [2, 3], [4]]
    """
    size = max(cells // max(width, 1), 1)
    return [rows[start : start + size] for start in range(0, len(rows), size)]
