"""Delivery: what is told, by which way, and that no failure of another house touches the night."""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from reporting import delivery_step, senders
from reporting.config import ReportingConfig
from reporting.delivery_step import LOG, AirflowHands, run

CONNECTIONS = (
    "connections: {smtp: {env: T_SMTP}, hook: {env: T_HOOK}, key: {env: T_KEY}, s3: {env: T_S3}, af: {airflow: mails}}"
)


@pytest.fixture
def home(published_home, tmp_path, monkeypatch):
    """A published home whose ways of delivery a test sets; no pause between tries."""
    monkeypatch.setattr(delivery_step, "PAUSE_SECONDS", 0.0)
    return shutil.copytree(published_home, tmp_path / "home", symlinks=True)


def configure(home, delivery):
    text = (home / "merchcast.yml").read_text(encoding="utf-8")
    text = "\n".join(line for line in text.splitlines() if not line.startswith(("connections", "reporting")))
    (home / "merchcast.yml").write_text(
        f"{text}\n{CONNECTIONS}\nreporting: {{delivery: {json.dumps(delivery)}}}\n", encoding="utf-8"
    )


def log_of(home):
    return [json.loads(line) for line in (home / "published" / LOG).read_text(encoding="utf-8").splitlines()]


class Hook(BaseHTTPRequestHandler):
    """Keeps what is posted; answers what it is told to."""

    got: ClassVar[list] = []
    answer = 200

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).got.append((body, dict(self.headers)))
        self.send_response(self.answer)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Stay quiet."""


@pytest.fixture
def hook(monkeypatch):
    Hook.got, Hook.answer = [], 200
    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("T_HOOK", f"http://127.0.0.1:{server.server_port}/secret-path")
    monkeypatch.setenv("T_KEY", "k3y")
    yield Hook
    server.shutdown()
    server.server_close()


def test_without_configuration_nothing_is_sent(home, shop):
    assert run(home, shop.run_date) == {"rows_in": 0, "rows_out": 0}


def test_the_message_holds_the_five_numbers_and_is_signed(home, shop, hook):
    configure(home, {"webhook": {"connection": "hook", "secret": "key"}})
    assert run(home, shop.run_date) == {"rows_in": 1, "rows_out": 1}
    body, headers = hook.got[0]
    told = json.loads(body)
    page = (home / "published/current/reports/restock.html").read_text(encoding="utf-8")
    for name in ("lines_to_order", "order_value", "skus_at_risk", "excess_value"):
        assert f'data-kpi="{name}" data-v="{told["numbers"][name]!r}"' in page
    assert f'data-v="{told["numbers"]["wape"]!r}"' in page
    assert headers[senders.SIGNATURE] == "sha256=" + hmac.new(b"k3y", body, hashlib.sha256).hexdigest()
    assert told["run_date"] == "2026-11-22"
    assert "Lines to order today" in told["text"]


@pytest.mark.parametrize(
    ("style", "where"), [("slack", ("text",)), ("wecom", ("text", "content")), ("feishu", ("content", "text"))]
)
def test_chats_get_their_own_shape(home, shop, hook, style, where):
    configure(home, {"webhook": {"connection": "hook", "style": style}})
    run(home, shop.run_date)
    told = json.loads(hook.got[0][0])
    for key in where:
        told = told[key]
    assert "Dimension Shop" in told


def test_what_was_delivered_is_not_delivered_again(home, shop, hook):
    configure(home, {"webhook": {"connection": "hook"}})
    run(home, shop.run_date)
    assert run(home, shop.run_date) == {"rows_in": 1, "rows_out": 0}
    assert len(hook.got) == 1


def test_a_failure_is_tried_again_logged_without_its_address_and_stops_no_other_way(home, shop, hook):
    hook.answer = 500
    configure(home, {"webhook": {"connection": "hook"}, "folder": {"path": "out"}, "attempts": 3})
    assert run(home, shop.run_date) == {"rows_in": 2, "rows_out": 1}
    assert len(hook.got) == 3
    outcomes = {entry["way"]: entry["error"] for entry in log_of(home)}
    assert outcomes["folder"] is None
    assert "500" in outcomes["webhook"]
    assert "secret-path" not in (home / "published" / LOG).read_text(encoding="utf-8")


def test_a_folder_gets_the_very_files(home, shop):
    configure(home, {"folder": {"path": "out", "files": ["restock.html", "quality.zh.html"]}})
    run(home, shop.run_date)
    out = home / "out" / "2026-11-22"
    assert {p.name for p in out.iterdir()} == {"restock.html", "quality.zh.html"}
    assert (out / "restock.html").read_bytes() == (home / "published/current/reports/restock.html").read_bytes()


def test_a_mail_has_the_numbers_the_report_and_one_line_as_subject(home, shop, monkeypatch):
    sent = []
    monkeypatch.setenv("T_SMTP", "smtps://planner%40shop:p@mail.example:465")
    monkeypatch.setattr(senders.smtplib, "SMTP_SSL", lambda *a, **k: FakeServer(sent))
    configure(home, {"mail": {"connection": "smtp", "to": ["a@shop.example", "b@shop.example"]}})
    assert run(home, shop.run_date)["rows_out"] == 1
    (message,) = sent
    assert message["To"] == "a@shop.example, b@shop.example"
    assert message["From"] == "planner@shop"
    assert "\n" not in message["Subject"]
    names = [part.get_filename() for part in message.iter_attachments()]
    assert names == ["restock.html", "restock.xlsx"]
    assert "Excess stock" in message.get_body(("plain",)).get_content()
    assert "<table>" in message.get_body(("html",)).get_content()


def test_a_report_too_large_to_mail_is_left_out_and_said(home, shop):
    sent = []
    hands = AirflowHands(uri=lambda _: "", mail=lambda connection, mail: sent.append((connection, mail)))
    configure(home, {"mail": {"connection": "af", "to": ["a@shop.example"], "most_megabytes": 0.001}})
    assert run(home, shop.run_date, airflow=hands)["rows_out"] == 1
    ((connection, mail),) = sent
    assert (connection, mail.files) == ("mails", ())
    assert "restock.xlsx" in mail.text


def test_a_missing_secret_or_a_broken_home_only_leaves_a_line(home, shop):
    configure(home, {"webhook": {"connection": "nobody"}, "bucket": {"connection": "s3", "url": "s3://b/p"}})
    assert run(home, shop.run_date) == {"rows_in": 2, "rows_out": 0}
    assert "nobody" in next(e["error"] for e in log_of(home) if e["way"] == "webhook")
    assert "T_S3" in next(e["error"] for e in log_of(home) if e["way"] == "bucket")
    (home / "merchcast.yml").write_text("shop: [", encoding="utf-8")
    assert run(home, shop.run_date) == {"rows_in": 0, "rows_out": 0}


def test_a_bucket_gets_the_files(home, shop, monkeypatch):
    server_module = pytest.importorskip("moto.server", reason="needs moto[server]")
    pytest.importorskip("s3fs", reason="needs s3fs")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        connection = f"http://key:se%2Fcret@{host}:{port}?region=eu-central-1"
        monkeypatch.setenv("T_S3", connection)
        import fsspec

        there = fsspec.filesystem("s3", **senders.bucket_options(connection), skip_instance_cache=True)
        there.mkdir("reports")
        configure(home, {"bucket": {"connection": "s3", "url": "s3://reports/shop"}})
        assert run(home, shop.run_date)["rows_out"] == 1, log_of(home)
        assert (
            there.cat("reports/shop/2026-11-22/restock.html")
            == (home / "published/current/reports/restock.html").read_bytes()
        )
    finally:
        server.stop()


def test_addresses_and_file_names_are_checked_by_the_settings():
    for bad in (
        {"mail": {"connection": "x", "to": ["no address"]}},
        {"mail": {"connection": "x", "to": []}},
        {"folder": {"path": "out", "files": ["../secret"]}},
        {"bucket": {"connection": "x", "url": "https://x"}},
        {"post": {}},
    ):
        with pytest.raises(ValueError):
            ReportingConfig.model_validate({"delivery": bad})


def test_bucket_connections_in_both_spellings():
    assert senders.bucket_options("aws://k:s@/?endpoint_url=http%3A%2F%2Fminio%3A9000&region_name=r") == {
        "endpoint_url": "http://minio:9000", "key": "k", "secret": "s", "client_kwargs": {"region_name": "r"},
    }  # fmt: skip
    assert senders.bucket_options("https://s3.example.com") == {"endpoint_url": "https://s3.example.com"}


class FakeServer:
    """An SMTP server's face: keeps what is sent."""

    def __init__(self, sent):
        self.sent = sent

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def ehlo(self):
        pass

    def has_extn(self, _):
        return True

    def login(self, user, password):
        assert (user, password) == ("planner@shop", "p")

    def send_message(self, message):
        self.sent.append(message)
