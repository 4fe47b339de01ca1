"""A step that takes its time says so: in log lines where there is no terminal, in a bar where there is one."""

from __future__ import annotations

import io
import logging
import time

import pytest

from data import progress
from data.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(progress, "LOG_EVERY_SECONDS", 0.05)


def test_a_quick_step_says_nothing(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, logger="merchcast.progress"):
        quick = Progress("demand")
        quick.start()
        quick.stop()
    assert caplog.records == []


def test_a_slow_step_counts_its_stage_in_log_lines(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, logger="merchcast.progress"):
        slow = Progress("forecast")
        slow.start()
        slow.stage("quantiles", total=4)
        slow.advance(3)
        time.sleep(0.3)
        slow.stop()
    assert len(caplog.records) >= 2
    assert caplog.records[-1].getMessage() == "forecast: quantiles, 3 of 4, 0 s"


def test_a_terminal_gets_a_bar_that_goes_away(monkeypatch: pytest.MonkeyPatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    slow = Progress("restock", usual_seconds=12.0)
    slow.start()
    time.sleep(0.6)
    slow.stop()
    assert "restock, 0 s (last time 12 s)" in terminal.getvalue()
