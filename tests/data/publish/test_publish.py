"""Publishing in one atomic step: links, backfills, pruning, disks that refuse, processes that die."""

from __future__ import annotations

import errno
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.errors import ConfigError, SourceError
from data.publish import durable
from data.publish.layout import linked_runs, previous_runs, run_folder, run_folders
from data.publish.publish import publish
from data.publish.verify import verify

D = date(2026, 6, 28)
DAY = timedelta(days=1)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.name != ".lock")


def test_links_are_relative_and_lead_to_the_run(home, filler):
    folder = publish(home, D, filler(D), keep_runs=5)
    published = home / "published"
    assert names(published) == [".runs", "2026-06-28", "current"]
    for link in ("2026-06-28", "current"):
        assert (published / link).is_symlink()
        assert str((published / link).readlink()) == f".runs/{folder.name}"
    assert (published / "current" / "reports" / "restock.html").read_text() == "reports/restock.html a"
    assert verify(home) == []


def test_a_home_that_is_moved_keeps_its_links(home, filler, tmp_path):
    publish(home, D, filler(D), keep_runs=5)
    moved = home.rename(tmp_path / "elsewhere")
    assert verify(moved) == []


def test_the_same_content_again_changes_nothing(home, filler):
    first = publish(home, D, filler(D), keep_runs=5)
    before = (first / "manifest.json").stat().st_ino
    assert publish(home, D, filler(D), keep_runs=5) == first
    assert (first / "manifest.json").stat().st_ino == before
    assert names(home / "published" / ".runs") == [first.name]


def test_the_same_content_again_mends_a_damaged_run(home, filler):
    folder = publish(home, D, filler(D), keep_runs=5)
    (folder / "tables" / "forecasts.parquet").write_text("damaged")
    assert verify(home)
    assert publish(home, D, filler(D), keep_runs=5) == folder
    assert verify(home) == []
    assert names(home / "published" / ".runs") == [folder.name]


def test_other_content_for_the_same_date_takes_its_place(home, filler):
    old = publish(home, D, filler(D, "a"), keep_runs=5)
    new = publish(home, D, filler(D, "b"), keep_runs=5)
    assert old != new
    assert run_folder(home, "current") == run_folder(home, "2026-06-28") == new
    assert old.is_dir()  # what a reader has open stays readable


def test_a_backfill_never_moves_current_back(home, filler):
    late = publish(home, D, filler(D), keep_runs=5)
    early = publish(home, D - DAY, filler(D - DAY), keep_runs=5)
    assert run_folder(home) == late
    assert run_folder(home, "2026-06-27") == early
    later = publish(home, D + DAY, filler(D + DAY), keep_runs=5)
    assert run_folder(home) == later


def test_a_rerun_of_the_current_date_moves_current_to_it(home, filler):
    publish(home, D - DAY, filler(D - DAY), keep_runs=5)
    publish(home, D, filler(D, "a"), keep_runs=5)
    new = publish(home, D, filler(D, "b"), keep_runs=5)
    assert run_folder(home) == new


def test_previous_runs_come_newest_first_and_lie_before_the_date(home, filler):
    folders = {d: publish(home, d, filler(d), keep_runs=9) for d in (D - 3 * DAY, D, D - DAY)}
    assert previous_runs(home, D, 5) == [folders[D - DAY], folders[D - 3 * DAY]]
    assert previous_runs(home, D + DAY, 1) == [folders[D]]
    assert previous_runs(home, D - 3 * DAY, 5) == []
    assert previous_runs(home, D, 0) == []


def test_runs_beyond_keep_runs_go_oldest_first(home, filler):
    days = [D + n * DAY for n in range(5)]
    for day in days:
        publish(home, day, filler(day), keep_runs=3)
    assert list(linked_runs(home)) == days[2:]
    assert len(run_folders(home)) == 3
    assert [n for n in names(home / "published") if n.startswith("2026")] == [d.isoformat() for d in days[2:]]


def test_superseded_runs_go_before_other_dates(home, filler):
    publish(home, D - DAY, filler(D - DAY), keep_runs=2)
    for content in "abc":
        publish(home, D, filler(D, content), keep_runs=2)
    assert list(linked_runs(home)) == [D - DAY, D]
    assert len(run_folders(home)) == 2
    assert verify(home) == []


def test_a_backfill_older_than_all_kept_runs_is_there_after_its_own_publish(home, filler):
    for n in range(3):
        publish(home, D + n * DAY, filler(D + n * DAY), keep_runs=3)
    publish(home, D - DAY, filler(D - DAY), keep_runs=3)
    assert verify(home, "2026-06-27") == []
    publish(home, D + 3 * DAY, filler(D + 3 * DAY), keep_runs=3)
    assert list(linked_runs(home)) == [D + DAY, D + 2 * DAY, D + 3 * DAY]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    runs=st.lists(st.tuples(st.integers(0, 6), st.sampled_from("ab")), min_size=1, max_size=8), keep=st.integers(1, 4)
)
def test_whatever_the_order_of_runs_the_links_hold(tmp_path_factory, filler, runs, keep):
    home = tmp_path_factory.mktemp("home")
    greatest = D
    for n, content in runs:
        day = D + n * DAY
        folder = publish(home, day, filler(day, content), keep_runs=keep)
        greatest = max(greatest, day)
        assert run_folder(home, day.isoformat()) == folder
        assert verify(home, day.isoformat()) == []
    linked = linked_runs(home)
    assert run_folder(home) == linked[max(D + n * DAY for n, _ in runs)]
    assert verify(home) == []
    assert len(run_folders(home)) <= keep + 1  # the one just published may stand beyond it
    assert not [n for n in names(home / "published" / ".runs") if not n.startswith("2026")]


def test_unknown_runs_are_named_with_what_there_is(home, filler):
    with pytest.raises(ConfigError, match="nothing is published"):
        run_folder(home)
    publish(home, D, filler(D), keep_runs=5)
    with pytest.raises(ConfigError, match="latest are 2026-06-28"):
        run_folder(home, "2026-01-01")
    for hostile in ("../../etc", "/etc", "2026-06-28/../..", "", "20260628"):
        with pytest.raises(ConfigError, match="expected `current`"):
            run_folder(home, hostile)


@pytest.mark.parametrize("nth", range(1, 9))
def test_a_disk_that_refuses_leaves_the_old_publish(home, filler, monkeypatch, nth):
    old = publish(home, D - DAY, filler(D - DAY), keep_runs=5)
    calls = iter(range(1, 1000))

    def full(path):
        if next(calls) == nth:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))

    for module in (durable, sys.modules["data.publish.publish"]):
        monkeypatch.setattr(module, "sync", full)
    with pytest.raises(SourceError, match="before stands"):
        publish(home, D, filler(D), keep_runs=5)
    monkeypatch.undo()
    assert verify(home, "2026-06-27") == []
    assert verify(home) == []
    assert run_folder(home) in (old, *previous_runs(home, D + DAY, 1))
    new = publish(home, D, filler(D), keep_runs=5)
    assert names(home / "published" / ".runs") == sorted([old.name, new.name])


KILLED_PUBLISH = """
import os, sys
from datetime import date
from pathlib import Path
from data.publish.manifest import Manifest, file_entry
from data.publish.publish import publish

home, day, content, nth = Path(sys.argv[1]), date.fromisoformat(sys.argv[2]), sys.argv[3], int(sys.argv[4])
EVENTS = {"open", "os.mkdir", "os.rename", "os.symlink", "os.remove", "os.rmdir", "os.scandir", "shutil.rmtree"}
state = {"n": 0, "armed": False}

def die(event, args):
    if state["armed"] and event in EVENTS:
        state["n"] += 1
        if state["n"] == nth:
            os._exit(9)  # no finally, no flush: as a kill -9

def fill(folder):
    files = {}
    for name in ("tables/forecasts.parquet", "reports/restock.html"):
        (folder / name).parent.mkdir()
        (folder / name).write_text(f"{name} {content}")
        files[name] = file_entry(folder / name)
    return Manifest(day, "0.1.0", "c" * 64, files)

sys.addaudithook(die)
state["armed"] = True
publish(home, day, fill, keep_runs=2)
print(state["n"])
"""


def run_and_kill(home: Path, day: date, content: str, nth: int, repository: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", KILLED_PUBLISH, str(home), day.isoformat(), content, str(nth)],
        cwd=repository,
        env={"PYTHONPATH": str(repository), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def snapshot(home: Path) -> dict[str, str]:
    published = home / "published"
    return {
        str(p.relative_to(published)): str(p.readlink()) if p.is_symlink() else p.read_text()
        for p in sorted(published.rglob("*"))
        if p.is_symlink() or p.is_file()
    }


def test_a_process_killed_at_any_point_leaves_one_whole_run_and_the_next_run_mends_the_rest(
    tmp_path, filler, repository
):
    """Kill -9 before each file operation of a publish that also prunes and supersedes (fault 84)."""

    def prepared(name: str) -> Path:
        home = tmp_path / name
        home.mkdir()
        publish(home, D - 2 * DAY, filler(D - 2 * DAY), keep_runs=5)
        publish(home, D - DAY, filler(D - DAY), keep_runs=5)
        publish(home, D, filler(D, "old"), keep_runs=5)
        return home

    whole = run_and_kill(prepared("whole"), D, "new", 0, repository)
    assert whole.returncode == 0, whole.stderr
    expected = snapshot(tmp_path / "whole")
    points = int(whole.stdout)
    assert points > 30
    for nth in range(1, points + 1, max(1, points // 30)):
        home = prepared(f"killed{nth}")
        assert run_and_kill(home, D, "new", nth, repository).returncode == 9
        text = (home / "published" / "current" / "reports" / "restock.html").read_text()
        assert text in ("reports/restock.html old", "reports/restock.html new"), nth
        assert verify(home) == [], nth
        assert verify(home, "2026-06-28") == [], nth
        assert verify(home, "2026-06-27") == [], nth
        publish(home, D, filler(D, "new"), keep_runs=2)
        assert snapshot(home) == expected, nth
