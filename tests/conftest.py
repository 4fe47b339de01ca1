"""Fixtures that every room may use."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
CHROMIUM = "/usr/bin/chromium"
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


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's headless Chromium."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no {CHROMIUM}: install Debian's chromium to test the pages in a browser (make test tries to)")
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
             "--disable-sync", "--no-first-run", "--disable-extensions", "--disable-dev-shm-usage"]  # fmt: skip
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a file; afterwards there must have been no console error and no request but for the file itself."""
    opened: list[Any] = []

    def open_one(path: Path, fragment: str = "", **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
        page = context.new_page()
        page.requests, page.problems = [], []
        page.on("request", lambda request: page.requests.append(request.url))
        page.on(
            "console",
            lambda message: page.problems.append(message.text) if message.type in ("error", "warning") else None,
        )
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("dialog", lambda dialog: (page.problems.append("dialog: " + dialog.message), dialog.dismiss()))
        page.goto(path.as_uri() + fragment)
        opened.append((page, path))
        return page

    yield open_one
    for page, path in opened:
        assert page.problems == []
        assert {url.split("#")[0] for url in page.requests if not url.startswith("data:")} == {path.as_uri()}
        page.context.close()
