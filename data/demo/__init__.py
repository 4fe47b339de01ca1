"""The seeded demo shop: a simulator of an anime-merchandise shop that knows the truth.

``write_demo(home)`` fills a home folder with two years of ordinary drop files in the input contracts, dirty in the
ways a real shop's files are, and with the truth beside them (``truth/``), which no estimator ever reads.
``write_small(home, seed=...)`` makes a small version of the same world for tests.
"""

from __future__ import annotations

from data.demo.build import DemoSummary, write_demo, write_small
from data.demo.config import DemoConfig

__all__ = ["DemoConfig", "DemoSummary", "write_demo", "write_small"]
