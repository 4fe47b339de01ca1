"""Nights run from outside, as an operator runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

Merchcast = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def merchcast(tmp_path_factory: pytest.TempPathFactory) -> Merchcast:
    """Run the command line in a process of its own."""
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path_factory.mktemp("config")), "COLUMNS": "200"}

    def run(*arguments: str, exit_code: int = 0) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cli.main", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == exit_code, done.stderr[-4000:]
        return done

    return run
