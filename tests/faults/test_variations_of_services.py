"""Services that behave badly in ways of which the catalogue names no case: each outcome was written down first."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from drop_shop import D, DropShop, order_lines
from json_service import Handler, Service

from data.contracts import TABLES
from data.ingest import pulls, services
from data.ingest.connections import Connection
from data.ingest.pulls import SourceFault, SourceUnavailable
from data.settings import SourceSettings

SIGNALS = [
    {"date": f"2026-02-{d:02d}", "source": "bili", "element_type": "ip", "element": "Luna", "metric": "searches"}
    | {"value": d}
    for d in range(1, 29)
]
BODY = json.dumps(SIGNALS).encode()


class Asked:
    """A service asked as the ingest step asks it. What the step makes of an error is tested beside the faults."""

    def __init__(self, home: Path, running: Service) -> None:
        self.home, self.running = home, running

    def __call__(self, **options: Any) -> list[dict[str, Any]]:
        spec = SourceSettings.model_validate({"kind": "http", "connection": "api", "path": "/v1/signals", **options})
        connection = Connection("trend_api", self.running.url.replace("://", "://:t0psecret@"))
        pull = pulls.Pull("signals", TABLES["signals"], spec, self.home, D, None, connection.masked)
        asked = services.Service(connection, pull)
        try:
            path, _, rows = asked.pulled()
            records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        finally:
            asked.close()
        assert len(records) == rows
        return records


@pytest.fixture
def ask(tmp_path: Path, service: Service) -> Asked:
    return Asked(tmp_path, service)


def connect(shop: DropShop, table: str, **options: Any) -> None:
    shop.connections = {"trend_api": {"env": "TREND_API_URL"}}
    shop.sources[table] = {"kind": "http", "connection": "trend_api", "path": f"/v1/{table}", **options}


def raw(handler: Handler, body: bytes, *headers: tuple[str, str], kind: str = "application/json") -> None:
    """Answer with these headers and bytes, nothing added, and hang up."""
    handler.send_response(200)
    for name, value in (("content-type", kind), *headers):
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)
    handler.close_connection = True


def turning(start: str) -> Callable[[Handler, dict[str, str]], None]:
    """A -> B -> A -> B ..., each time with other records."""
    asked: list[int] = []

    def answer(handler: Handler, params: dict[str, str]) -> None:
        asked.append(1)
        handler.say({"data": [{**SIGNALS[0], "value": len(asked)}], "next": start + ("B" if len(asked) % 2 else "A")})

    return answer


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ({"cursor": "next"}, turning("")),
        ({"pagination": "link", "cursor": "next"}, turning("/v1/signals?at=")),
        ({"pagination": "link", "cursor": "next"}, lambda h, p: h.say({"data": SIGNALS, "next": "file:///etc/passwd"})),
        ({"pagination": "link", "cursor": "next"}, lambda h, p: h.say({"data": SIGNALS, "next": "//x:y@127.0.0.1:1/"})),
    ],
    ids=["cursor A B A", "link A B A", "link to a file", "link with other credentials"],
)
def test_fault_81_pages_in_a_wider_circle_or_elsewhere(service: Service, ask: Asked, options: Any, answer: Any):
    service.answer = answer
    with pytest.raises(SourceFault, match="PAGINATION: source signals, trend_api: "):
        ask(**options)
    assert len(service.asked) <= 3


def test_an_empty_page_with_a_cursor_is_not_the_end(service: Service, ask: Asked):
    pages = {"": ([], "a"), "a": (SIGNALS[:9], "b"), "b": ([], "c"), "c": (SIGNALS[9:], None)}
    service.answer = lambda h, p: h.say(dict(zip(("data", "next"), pages[p.get("cursor", "")], strict=True)))
    assert len(ask(cursor="next")) == 28


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ({"data": SIGNALS, "total": 40}, {}),
        ({"data": SIGNALS, "meta": {"total_count": 40, "page": 1}}, {}),
        (SIGNALS, {"x-total-count": "40"}),
    ],
    ids=["total", "nested", "header"],
)
def test_fewer_records_than_the_service_says_are_no_delivery(service: Service, ask: Asked, body: Any, headers: Any):
    service.answer = lambda h, p: h.say(body, **headers)
    said = "TRUNCATED: source signals, trend_api: it says that there are 40 records, and gave 28"
    with pytest.raises(SourceUnavailable, match=said):
        ask()
    service.answer = lambda h, p: h.say({"data": SIGNALS, "total": 28, "total_pages": 99})
    assert len(ask()) == 28


def test_more_records_than_the_service_says_are_all_taken(service: Service, ask: Asked):
    service.answer = lambda h, p: h.say({"data": SIGNALS, "total": 5})
    assert len(ask()) == 28


@pytest.mark.parametrize("end", ["empty", "404"])
def test_a_service_that_gives_smaller_pages_than_asked_for_is_read_to_the_end(service: Service, ask: Asked, end: str):
    def capped(handler: Handler, params: dict[str, str]) -> None:
        at = (int(params["page"]) - 1) * 10
        is_beyond = at >= len(SIGNALS) and end == "404"
        handler.say({"data": SIGNALS[at : at + 10]}, status=404 if is_beyond else 200)

    service.answer = capped
    assert len(ask(pagination="page", page_size=500)) == 28


def test_a_page_that_pays_no_heed_to_its_number_is_taken_once(service: Service, ask: Asked):
    service.answer = lambda h, p: h.say({"data": SIGNALS})
    assert len(ask(pagination="page", page_size=500)) == 28


def test_a_row_that_moves_to_the_next_page_while_pages_are_read_counts_once(shop: DropShop, service: Service):
    """A record comes in at the front between two pages: the last one of the first page comes again on the second."""
    shop.drop("order_lines", "2026-03-01.csv", order_lines(60))
    connect(shop, "signals", pagination="page", page_size=14)
    service.answers(
        lambda h, p: h.say({"data": SIGNALS[:14]}),
        lambda h, p: h.say({"data": SIGNALS[13:27]}),
        lambda h, p: h.say({"data": SIGNALS[27:]}),
    )
    shop.run()
    assert shop.accounts()["signals.on-2026-03-01.jsonl"] == (29, 28, 0, 1)


@pytest.mark.parametrize(
    "wait",
    [
        {},
        {"retry_after": format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)},
        {"retry_after": "soon"},
        {"retry_after": "-5"},
    ],
    ids=["none", "a date gone by", "a word", "negative"],
)
def test_fault_79_throttled_without_a_time_that_can_be_waited_for(service: Service, ask: Asked, wait: Any):
    service.answers(lambda h, p: h.say({}, status=429, **wait), lambda h, p: h.say(SIGNALS))
    assert len(ask()) == 28


def test_fault_79_a_service_that_asks_for_no_pause_is_not_hammered(
    service: Service, ask: Asked, monkeypatch: pytest.MonkeyPatch
):
    pauses: list[float] = []
    monkeypatch.setattr(pulls.time, "sleep", pauses.append)
    service.answer = lambda h, p: h.say({}, status=429, retry_after="0")
    with pytest.raises(SourceUnavailable, match="after 4 tries: it answers 429"):
        ask(retries=3)
    assert len(pauses) == 3
    assert all(0.005 * 2**n <= pause <= 0.01 * 2**n for n, pause in enumerate(pauses))


@pytest.mark.parametrize(
    "wait",
    ["86400", "9" * 300, format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)],
    ids=["a day", "digits without end", "tomorrow"],
)
def test_fault_79_throttled_for_a_day_is_not_waited_for(service: Service, ask: Asked, wait: str):
    service.answer = lambda h, p: h.say({}, status=429, retry_after=wait)
    started = time.monotonic()
    with pytest.raises(SourceUnavailable, match="its deadline of 20 s: it answers 429"):
        ask(deadline_seconds=20)
    assert time.monotonic() - started < 10
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    "fault",
    [
        lambda h, p: raw(h, BODY[:-20], ("content-length", str(len(BODY)))),
        lambda h, p: raw(h, b"%x\r\n%s\r\n" % (500, BODY[:500]), ("transfer-encoding", "chunked")),
        lambda h, p: raw(h, BODY[:-20]),
        lambda h, p: raw(h, gzip.compress(BODY)[:-30], ("content-encoding", "gzip")),
        lambda h, p: raw(h, b"no gzip at all", ("content-encoding", "gzip")),
        lambda h, p: h.say({"error": "busy"}, status=503),
    ],
    ids=["content-length", "chunked", "neither", "gzip", "no gzip", "503"],
)
def test_fault_78_an_answer_that_breaks_off_is_asked_for_again(
    service: Service, ask: Asked, monkeypatch: pytest.MonkeyPatch, fault: Any
):
    monkeypatch.setattr(Handler, "protocol_version", "HTTP/1.1")  # its chunks have their lengths before them
    service.answers(fault, lambda h, p: h.say(SIGNALS))
    assert len(ask()) == 28
    assert len(service.asked) == 2


@pytest.mark.parametrize("packed", ["gzip", "GZIP"])
def test_a_packed_answer_is_read(service: Service, ask: Asked, packed: str):
    service.answer = lambda h, p: h.say(gzip.compress(BODY), content_encoding=packed)
    assert len(ask()) == 28


@pytest.mark.parametrize(
    ("packed", "encoding", "fault"),
    [
        (gzip.compress(b" " * 3_000_000), "gzip", "LIMIT"),
        (gzip.compress(gzip.compress(b" " * 3_000_000)), "gzip, gzip", "CONTENT_TYPE"),
        (BODY, "br", "CONTENT_TYPE"),
    ],
    ids=["bomb", "bomb in a bomb", "unknown"],
)
def test_a_packed_bomb_is_refused_while_it_unpacks(
    service: Service, ask: Asked, monkeypatch: pytest.MonkeyPatch, packed: bytes, encoding: str, fault: str
):
    monkeypatch.setattr(services, "MAX_PAGE_BYTES", 1_000_000)
    service.answer = lambda h, p: h.say(packed, content_encoding=encoding)
    with pytest.raises(SourceFault, match=f"{fault}: source signals, trend_api: "):
        ask()


def test_a_header_that_drips_ends_with_the_deadline(service: Service, ask: Asked):
    def dripping(handler: Handler, params: dict[str, str]) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for n in range(60):
            try:
                handler.wfile.write(b"x-%d: y\r\n" % n)
                handler.wfile.flush()
            except OSError:
                break
            time.sleep(0.1)
        handler.close_connection = True

    service.answer = dripping
    started = time.monotonic()
    with pytest.raises(SourceUnavailable, match="source signals: asking trend_api failed"):
        ask(timeout_seconds=0.3, deadline_seconds=0.6, retries=1)
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("status", "address"), [(302, "http://127.0.0.2:9/steal"), (307, "file:///etc/passwd"), (301, "/v1/signals")]
)
def test_a_redirect_is_not_followed_and_the_secret_goes_nowhere(
    service: Service, ask: Asked, status: int, address: str
):
    service.answer = lambda h, p: h.say({}, status=status, location=address)
    with pytest.raises(SourceUnavailable, match=f"trend_api answers {status}; check the address"):
        ask()
    assert [path for path, _, _ in service.asked] == ["/v1/signals"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "https://127.0.0.1:{port}"])
def test_nobody_there_or_no_tls_is_said_without_the_secret(service: Service, ask: Asked, url: str):
    service.url = url.replace("{port}", service.url.rpartition(":")[2])
    with pytest.raises(SourceUnavailable, match="asking trend_api failed, after 2 tries: ConnectError") as error:
        ask(retries=1)
    assert "t0psecret" not in str(error.value)


def test_what_json_says_of_a_value_reaches_quarantine_as_it_came(shop: DropShop, service: Service):
    names = ("order_line_id", "order_id", "ordered_at", "sku", "quantity", "unit_price", "buyer_ref")
    rows = [dict(zip(names, line.split(","), strict=True)) for line in order_lines(700)]
    for place, column in enumerate(("unit_price", "unit_price", "unit_price", "quantity", "quantity"), start=1):
        rows[place][column] = f"@{place}"
    body = json.dumps(rows).replace('"sku": "SKU-001"', '"sku": "SKU-001", "sku": "SKU-008"', 1)
    for place, value in enumerate(("NaN", "-Infinity", "1e400", "2.5", "[2]"), start=1):
        body = body.replace(f'"@{place}"', value)
    connect(shop, "order_lines", timezone="Asia/Shanghai")
    service.answer = lambda h, p: h.say(body.encode())
    shop.run()
    assert [(row, why, value) for row, why, _, value in shop.quarantined()] == [
        (1, "JSON_FORMAT", None),
        (2, "NOT_FINITE", "NaN"),
        (3, "NOT_FINITE", "-Infinity"),
        (4, "NOT_FINITE", "1e400"),
        (5, "NOT_INTEGER", "2.5"),
        (6, "NOT_A_NUMBER", '["2"]'),
    ]
    assert list(shop.accounts().values()) == [(700, 694, 6, 0)]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_part_of_the_answer(service: Service, ask: Asked, encoding: str):
    service.answer = lambda h, p: h.say(json.dumps(SIGNALS).encode(encoding))
    assert [r["value"] for r in ask()] == [str(s["value"]) for s in SIGNALS]


def test_a_watermark_that_changes_from_days_to_instants_goes_on(shop: DropShop, service: Service):
    shop.drop("order_lines", "2026-03-01.csv", order_lines(60))
    connect(shop, "signals", watermark="seen", params={"since": "after :watermark"})
    mixed = [{**s, "seen": s["date"] if n % 2 else f"{s['date']}T08:00:00+08:00"} for n, s in enumerate(SIGNALS)]
    service.answer = lambda h, p: h.say([{**m, "seen": None} if m is mixed[3] else m for m in mixed])
    shop.run()
    shop.run()
    assert shop.query("select count(*) from raw_signals where not is_duplicate") == [(28,)]
    assert [params["since"] for _, params, _ in service.asked] == [
        "after 1970-01-01T00:00:00+00:00",
        "after 2026-02-28",
    ]


def test_links_with_commas_in_them_are_followed(service: Service, ask: Asked):
    def answer(handler: Handler, params: dict[str, str]) -> None:
        at = int(params.get("at", "0"))
        more = {"link": f'</v1/signals?a=1,2>; rel="first", </v1/signals?f=x,y&at={at + 10}>; title="a"; rel=next'}
        handler.say(SIGNALS[at : at + 10], **(more if at + 10 < 28 else {}))

    service.answer = answer
    assert len(ask(pagination="link")) == 28
