"""The index of runs and the server that shows it."""

from __future__ import annotations

import json
import shutil
import threading
from datetime import date, timedelta

import httpx
import pytest

from cli.web import is_loopback, make_server, serve_folder
from data.errors import ConfigError
from reporting.catalogue import load_catalogue
from reporting.index_page import RunEntry, index_html, index_rows
from reporting.index_step import run as write_index

TODAY = date(2026, 11, 22)


def entry(day, **changes):
    values = {
        "run_date": day,
        "checks": {"pass": 40, "warn": 0, "fail": 0},
        "lines_to_order": 7,
        "order_value": 1234.5,
        "expedite": 2,
        "changes": {"new": 3, "gone": 1, "up": 0, "down": 4},
        "files": frozenset({"restock.html", "restock.en.html", "restock.xlsx"}),
    }
    return RunEntry(**{**values, **changes})


def rows(runs, **options):
    return index_rows(runs, words=load_catalogue("en"), main_language="zh", **{"expected_days": 1, **options})


def test_the_latest_run_comes_first_and_a_night_without_one_is_said():
    listed = rows([entry(TODAY - timedelta(days=3)), entry(TODAY), entry(TODAY - timedelta(days=1))])
    assert [(row.status, row.last) for row in listed] == [
        ("pass", TODAY),
        ("pass", TODAY - timedelta(days=1)),
        ("missing", TODAY - timedelta(days=2)),
        ("pass", TODAY - timedelta(days=3)),
    ]
    assert [row.is_current for row in listed] == [True, False, False, False]


def test_a_long_pause_is_one_row_and_weekly_shops_have_no_gaps():
    old = entry(TODAY - timedelta(days=90))
    assert [row.status for row in rows([old, entry(TODAY)])] == ["pass", "missing", "pass"]
    weekly = [entry(TODAY - timedelta(days=7 * k)) for k in range(3)]
    assert [row.status for row in rows(weekly, expected_days=7)] == ["pass"] * 3


def test_links_lead_to_the_reports_that_are_there_in_the_pages_language():
    links = rows([entry(TODAY)])[0].links
    assert links == (
        ("Restock", "2026-11-22/reports/restock.en.html"),
        ("Workbook", "2026-11-22/reports/restock.xlsx"),
    )


def test_a_shops_name_cannot_run():
    page = index_html(
        [entry(TODAY)], shop="<script>alert(1)</script>", currency="CNY", language="zh", main_language="zh"
    )
    assert "<script>alert" not in page
    assert "2026年11月22日" in page


def test_the_step_writes_both_languages_once_and_fails_no_run(published_home, tmp_path):
    home = shutil.copytree(published_home, tmp_path / "home", symlinks=True)
    assert write_index(home, TODAY) == {"rows_in": 1, "rows_out": 2}
    assert write_index(home, TODAY)["rows_out"] == 0  # same runs, same bytes
    text = (home / "published" / "index.html").read_text(encoding="utf-8")
    manifest = json.loads((home / "published" / "current" / "manifest.json").read_text(encoding="utf-8"))
    assert f"{manifest['checks']['warn']} WARN" in text
    for link in ("2026-11-22/reports/restock.html", "2026-11-22/reports/restock.xlsx"):
        assert link in text
        assert (home / "published" / link).is_file()
    (home / "published" / "2026-11-22" / "manifest.json").write_text("{", encoding="utf-8")
    assert write_index(home, TODAY) == {"rows_in": 0, "rows_out": 0}
    assert (home / "published" / "index.html").read_text(encoding="utf-8") == text


@pytest.fixture
def serve(tmp_path):
    """Serve a small folder; give its address."""
    folder = tmp_path / "published"
    (folder / ".runs").mkdir(parents=True)
    (folder / "index.html").write_text("<p>runs</p>", encoding="utf-8")
    (folder / ".runs" / "secret.html").write_text("hidden", encoding="utf-8")
    (tmp_path / "outside.txt").write_text("outside", encoding="utf-8")
    (folder / "link.txt").symlink_to(tmp_path / "outside.txt")
    servers = []

    def start(token=""):
        server = make_server(folder, host="127.0.0.1", port=0, token=token)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_on_loopback_pages_are_served_and_nothing_else(serve):
    base = serve()
    assert httpx.get(base + "/").text == "<p>runs</p>"
    for hidden in (
        "/.runs/secret.html",
        "/%2eruns/secret.html",
        "/link.txt",
        "/..%2foutside.txt",
        "/.deliveries.jsonl",
    ):
        assert httpx.get(base + hidden).status_code == 404, hidden
    assert httpx.get(base + "/", headers={"Host": "evil.example"}).status_code == 421
    assert httpx.post(base + "/").status_code == 501
    assert httpx.get(base + "/").headers["X-Content-Type-Options"] == "nosniff"


def test_with_a_token_only_those_who_have_it_may_read(serve):
    base = serve("a-token-of-24-characters")
    assert httpx.get(base + "/").status_code == 401
    assert httpx.get(base + "/?token=another-one-that-is-wrong").status_code == 401
    with httpx.Client() as client:
        first = client.get(base + "/?token=a-token-of-24-characters")
        assert (first.status_code, first.headers["Location"]) == (303, "/")
        assert "HttpOnly" in first.headers["Set-Cookie"]
        assert client.get(base + "/").text == "<p>runs</p>"


def test_an_address_that_others_can_reach_needs_a_token(tmp_path):
    assert [is_loopback(h) for h in ("127.0.0.1", "::1", "0.0.0.0", "192.168.1.5", "shop.example")] == [
        True, True, False, False, False,
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="token"):
        make_server(tmp_path, host="0.0.0.0", port=0)
    with pytest.raises(ConfigError, match="16 or more"):
        serve_folder(tmp_path, port=1, host="0.0.0.0", token="short")
    with pytest.raises(ConfigError, match="run merchcast first"):
        make_server(tmp_path / "nowhere", host="127.0.0.1", port=0)
