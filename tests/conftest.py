"""Fixtures that every room may use."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
_REPOSITORY = Path(__file__).resolve().parent.parent

hypothesis_settings.register_profile("suite", deadline=None, derandomize=True, print_blob=True)
hypothesis_settings.load_profile("suite")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout."""
    return _REPOSITORY


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The optional folder with real data; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("MERCHCAST_TEST_DATA", _REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set MERCHCAST_TEST_DATA to a folder that holds it")
    return folder


@pytest.fixture(scope="session", autouse=True)
def buyer_key(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the key of the buyers' pseudonyms out of the developer's own configuration folder."""
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("config"))


@pytest.fixture(scope="session")
def small_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with a small version of the demo shop; never write into it."""
    from cli.home import make_home
    from data.demo import write_small

    home = tmp_path_factory.mktemp("small") / "home"
    make_home(home)
    for name in ("merchcast.yml", "overrides.csv", "holds.csv"):
        (home / name).unlink()
    write_small(home, seed=7)
    return home


@pytest.fixture
def small_home(small_shop: Path, tmp_path: Path) -> Path:
    """A copy of ``small_shop`` that a test may run in."""
    home = tmp_path / "home"
    shutil.copytree(small_shop, home)
    return home
