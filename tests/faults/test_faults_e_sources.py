"""Faults of services: failures, throttling, error pages, pages without end."""

from __future__ import annotations

import time
from typing import Any

import pytest
from drop_shop import LINES, D, DropShop, order_lines
from json_service import Handler

from data.errors import SourceError
from data.ingest.faults import DeliveryRefused

SIGNALS = [
    {
        "date": f"2026-02-{d:02d}",
        "source": "bili",
        "element_type": "ip",
        "element": "Luna",
        "metric": "searches",
        "value": d,
    }
    for d in range(1, 29)
]


def connect(shop: DropShop, table: str = "signals", **options: Any) -> None:
    shop.connections = {"trend_api": {"env": "TREND_API_URL"}}
    shop.sources[table] = {"kind": "http", "connection": "trend_api", "path": f"/v1/{table}", **options}


def with_sales(shop: DropShop) -> DropShop:
    shop.drop("order_lines", "2026-03-01.csv", order_lines(60))
    return shop


def lines_as_json(n: int = 60) -> list[dict[str, str]]:
    names = LINES.strip().split(",")
    return [dict(zip(names, line.split(","), strict=True)) for line in order_lines(n)]


def signals(shop: DropShop) -> int:
    return shop.query("select count(*) from raw_signals")[0][0]


def failing(handler: Handler, params: dict[str, str]) -> None:
    handler.say({"error": "no"}, status=500)


def hanging(handler: Handler, params: dict[str, str]) -> None:
    time.sleep(0.6)
    handler.close_connection = True


def dripping(handler: Handler, params: dict[str, str]) -> None:
    handler.send_response(200)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", "1000")
    handler.end_headers()
    for _ in range(40):
        try:
            handler.wfile.write(b"[")
            handler.wfile.flush()
        except OSError:
            return
        time.sleep(0.05)


def broken_off(handler: Handler, params: dict[str, str]) -> None:
    handler.send_response(200)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", "100000")
    handler.end_headers()
    handler.wfile.write(b'{"data": [')
    handler.close_connection = True


def sound(handler: Handler, params: dict[str, str]) -> None:
    handler.say({"data": SIGNALS})


def test_fault_01_a_delivery_that_arrives_within_the_tries_is_taken(shop, monkeypatch):
    from data.ingest import arriving

    pauses: list[float] = []

    def arrive(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            with_sales(shop)

    monkeypatch.setattr(arriving.time, "sleep", arrive)
    assert shop.run()["rows_in"] >= 60
    assert pauses[:2] == [0.1, 0.2]


@pytest.mark.parametrize("fault", [failing, broken_off])
def test_fault_78_a_failure_in_passing_is_tried_again(shop, service, fault):
    connect(with_sales(shop))
    service.answers(fault, lambda handler, params: handler.say({}, status=599), sound)
    shop.run()
    assert signals(shop) == 28
    assert len(service.asked) == 3
    assert "stale_source" not in shop.notes()


@pytest.mark.parametrize("fault", [failing, hanging, dripping], ids=["500", "timeout", "slow drip"])
def test_fault_78_signals_that_stay_away_degrade_the_run_within_the_deadline(shop, service, fault):
    connect(with_sales(shop), retries=2, timeout_seconds=0.2, deadline_seconds=0.8)
    service.answer = fault
    started = time.monotonic()
    shop.run()
    assert time.monotonic() - started < 15
    assert "source signals: asking trend_api failed" in shop.notes()["stale_source"]
    assert "t0psecret" not in shop.notes()["stale_source"]
    assert signals(shop) == 0


def test_fault_78_sales_that_stay_away_stop_the_run_and_the_rerun_is_as_if_nothing_had_failed(shop, service, tmp_path):
    connect(shop, "order_lines", retries=1, timezone="Asia/Shanghai")
    service.answer = failing
    with pytest.raises(
        SourceError, match="source order_lines: asking trend_api failed, after 2 tries: it answers 500"
    ) as e:
        shop.run()
    assert e.value.exit_code == 1
    assert list((shop.home / "landing").glob("??/*")) == []
    service.answer = lambda handler, params: handler.say(lines_as_json())
    shop.run()
    other = DropShop(tmp_path / "other")
    connect(other, "order_lines", retries=1, timezone="Asia/Shanghai")
    other.run()
    ours, theirs = (
        s.query("select * exclude (delivery_id) from raw_order_lines order by order_line_id") for s in (shop, other)
    )
    assert ours == theirs
    assert len(ours) == 60


def test_fault_82_a_service_without_a_record_degrades_signals_and_refuses_sales(shop, service):
    service.answer = lambda handler, params: handler.say({"data": []})
    connect(with_sales(shop))
    shop.run()
    assert "source signals: it answers without a record" in shop.notes()["stale_source"]
    connect(shop, "order_lines", timezone="Asia/Shanghai")
    with pytest.raises(DeliveryRefused, match="ROW_COUNT_BELOW_MIN: source order_lines") as refused:
        shop.run()
    assert refused.value.exit_code == 3


def test_fault_79_retry_after_is_honoured(shop, service):
    connect(with_sales(shop))
    service.answers(lambda h, p: h.say({}, status=429, retry_after="1"), sound)
    started = time.monotonic()
    shop.run()
    assert time.monotonic() - started >= 1
    assert signals(shop) == 28


def test_fault_79_a_retry_after_beyond_the_deadline_is_not_waited_for(shop, service):
    connect(with_sales(shop), deadline_seconds=5)
    service.answer = lambda h, p: h.say({}, status=429, retry_after="3600")
    started = time.monotonic()
    shop.run()
    assert time.monotonic() - started < 15
    assert "its deadline of 5 s: it answers 429" in shop.notes()["stale_source"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"<html>Sorry, t0psecret</html>", "text/html"), (b"<html></html>", "application/json"), (b"{}", "text/plain")],
)
def test_fault_80_an_error_page_with_status_200(shop, service, body, kind):
    connect(with_sales(shop))
    service.answer = lambda h, p: h.say(body, content_type=kind)
    with pytest.raises(SourceError, match="CONTENT_TYPE: source signals, trend_api: ") as error:
        shop.run()
    assert error.value.exit_code == 1
    assert "t0psecret" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ({"pagination": "page"}, {"data": SIGNALS}),
        ({"cursor": "next"}, {"data": SIGNALS, "next": "same"}),
        ({"pagination": "link", "cursor": "next"}, {"data": SIGNALS, "next": "/v1/signals?a=1"}),
        ({"pagination": "link", "cursor": "next"}, {"data": SIGNALS, "next": "http://elsewhere.example/v1"}),
    ],
    ids=["page", "cursor", "link", "another server"],
)
def test_fault_81_a_page_that_comes_again(shop, service, options, answer):
    connect(with_sales(shop), **options)
    service.answer = lambda h, p: h.say(answer)
    with pytest.raises(SourceError, match="PAGINATION: source signals, trend_api: ") as error:
        shop.run()
    assert error.value.exit_code == 1


def test_fault_81_pages_that_never_end(shop, service):
    connect(with_sales(shop), cursor="next", max_pages=20)
    service.answer = lambda h, p: h.say({"data": [{"n": len(service.asked)}], "next": str(len(service.asked))})
    with pytest.raises(SourceError, match=r"PAGINATION: .* more than 20 pages"):
        shop.run()
    assert len(service.asked) == 20


def page(handler: Handler, params: dict[str, str]) -> None:
    at = int(params.get("page", "1")) - 1
    handler.say({"data": SIGNALS[at * 10 : at * 10 + 10]})


def cursor(handler: Handler, params: dict[str, str]) -> None:
    at = int(params.get("cursor", "0"))
    handler.say({"data": SIGNALS[at : at + 10], "paging": {"next": str(at + 10) if at + 10 < 28 else None}})


def link(handler: Handler, params: dict[str, str]) -> None:
    at = int(params.get("at", "0"))
    more = {"link": f'</v1/signals?at={at + 10}>; rel="next", </v1/signals?at=0>; rel="first"'} if at + 10 < 28 else {}
    handler.say(SIGNALS[at : at + 10], **more)


@pytest.mark.parametrize(
    ("options", "answer", "asked"),
    [
        ({"pagination": "page", "page_size": 10}, page, 3),
        ({"pagination": "page"}, page, 4),
        ({"cursor": "paging.next"}, cursor, 3),
        ({"pagination": "link"}, link, 3),
    ],
    ids=["sized pages", "pages", "cursor", "link"],
)
def test_every_page_is_asked_for_once_with_the_token_and_loads(shop, service, options, answer, asked):
    connect(with_sales(shop), params={"since": "day :run_date"}, **options)
    service.answer = answer
    shop.run()
    assert signals(shop) == 28
    assert len(service.asked) == asked
    assert service.asked[0][1]["since"] == f"day {D}"
    assert {headers["authorization"] for _, _, headers in service.asked} == {"Bearer t0psecret"}
    assert shop.accounts()["signals.on-2026-03-01.jsonl"] == (28, 28, 0, 0)
    held = [p for p in shop.home.rglob("*") if p.is_file() and b"t0psecret" in p.read_bytes()]
    assert held == []
