"""Fixtures of the ingest tests; the shop they are made of is in ``drop_shop``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "data" / "ingest"))

from drop_shop import DropShop
from json_service import Service, json_service

from data.ingest import pulls
from data.ingest.child import reading_child


@pytest.fixture(autouse=True)
def without_great_expectations(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    """The checks of the contracts have tests of their own; here they would only cost time."""
    if "with_checks" in request.fixturenames:
        yield
        return

    def nothing(*_: Any, **__: Any) -> list[Any]:
        return []

    monkeypatch.setattr("data.checks.staged.check_batches", nothing)
    monkeypatch.setattr("data.step_io.check_table", nothing)
    yield


@pytest.fixture(autouse=True)
def without_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries pause as they do, but a hundredth of a second at first."""
    monkeypatch.setattr(pulls, "_FIRST_PAUSE_SECONDS", 0.01)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A JSON service on loopback, in ``TREND_API_URL`` with a password."""
    with json_service() as running:
        monkeypatch.setenv("TREND_API_URL", running.url.replace("http://", "http://:t0psecret@"))
        yield running


@pytest.fixture(scope="session", autouse=True)
def one_child() -> Iterator[None]:
    """One process opens the files of all tests; starting one for each night would take longer than the nights."""
    with reading_child():
        yield


@pytest.fixture
def with_checks() -> None:
    """Asked for by a test that wants the checks of the contracts all the same."""


@pytest.fixture
def shop(tmp_path: Path) -> DropShop:
    """A shop in Shanghai that delivers order lines."""
    return DropShop(tmp_path / "home")
