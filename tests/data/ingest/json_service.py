"""A JSON service on loopback that answers what a test tells it to, faults included."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Answer = Callable[["Handler", dict[str, str]], None]


class Handler(BaseHTTPRequestHandler):
    """Hands each request to the service's ``answer`` and remembers it."""

    service: Service

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        params = dict(parse_qsl(parts.query))
        self.service.asked.append((parts.path, params, dict(self.headers)))
        self.service.answer(self, params)

    def say(self, body: Any, status: int = 200, content_type: str = "application/json", **headers: str) -> None:
        """Answer with JSON, or with bytes as they are."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


class Service:
    """What the service answers, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.answer: Answer = lambda handler, params: handler.say({"data": []})
        self.url = ""

    def answers(self, *answers: Answer) -> None:
        """Answer in turn; the last one again and again."""
        queue = list(answers)

        def answer(handler: Handler, params: dict[str, str]) -> None:
            (queue.pop(0) if len(queue) > 1 else queue[0])(handler, params)

        self.answer = answer


@contextmanager
def json_service() -> Iterator[Service]:
    """Yield a running service."""
    service = Service()
    handler = type("OwnHandler", (Handler,), {"service": service})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
