"""What a person sees of a step that takes its time: a bar in a terminal, log lines elsewhere."""

from __future__ import annotations

import logging
import sys
import threading
import time

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

__all__ = ["Progress"]

PATIENCE_SECONDS = 2.0  # [s] a quicker step shows nothing
LOG_EVERY_SECONDS = 10.0  # [s] between two log lines
_REFRESH_SECONDS = 0.25  # [s]

log = logging.getLogger("merchcast.progress")
log.setLevel(logging.INFO)  # whatever level the rest of the process logs at


class Progress:
    """Tells how far a step has come, from a thread of its own, once the step has taken two seconds.

    The bar counts the items of the current stage where the step names one; else it runs against the seconds that the
    step took last time, and pulses where that is not known.
    """

    def __init__(self, step: str, *, usual_seconds: float | None = None) -> None:
        self.step = step
        self.usual_seconds = usual_seconds
        self._stage, self._total, self._done = "", 0, 0
        self._started = time.monotonic()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._show, name=f"progress-{step}", daemon=True)

    def start(self) -> None:
        """Begin to wait; show nothing yet."""
        self._thread.start()

    def stop(self) -> None:
        """Take the bar away."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    def stage(self, name: str, total: int | None = None) -> None:
        """Name what the step does now, and of how many items."""
        self._stage, self._total, self._done = name, total or 0, 0

    def advance(self, items: int = 1) -> None:
        """Count items of the stage as done."""
        self._done += items

    def line(self) -> str:
        """Return how far the step is, in one line."""
        seconds = time.monotonic() - self._started
        what = f"{self.step}: {self._stage}" if self._stage else self.step
        if self._total:
            return f"{what}, {self._done} of {self._total}, {seconds:.0f} s"
        usual = f" (last time {self.usual_seconds:.0f} s)" if self.usual_seconds else ""
        return f"{what}, {seconds:.0f} s{usual}"

    def _show(self) -> None:
        if self._stopped.wait(PATIENCE_SECONDS):
            return
        if sys.stderr.isatty():
            self._draw()
            return
        while True:
            log.info(self.line())
            if self._stopped.wait(LOG_EVERY_SECONDS):
                return

    def _draw(self) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(self.step)
            while not self._stopped.wait(_REFRESH_SECONDS):
                total, done = self._amount()
                bar.update(task, description=self.line(), total=total, completed=done)

    def _amount(self) -> tuple[float | None, float]:
        if self._total:
            return self._total, self._done
        seconds = time.monotonic() - self._started
        return self.usual_seconds, min(seconds, (self.usual_seconds or seconds) * 0.99)
