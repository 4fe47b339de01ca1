"""Sources of kind ``http``: a JSON service, asked page by page.

Every record becomes one line of JSON in a file, as it came; the file lands, and takes the strict path that any JSON
lines take. Passing failures are tried again with growing pauses, ``Retry-After`` is honoured, and one deadline stands
over all pages. An answer that is no JSON, or a page that comes twice, is a fault and no data.
"""

from __future__ import annotations

import json
import re
import socket
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit, urlunsplit

import httpx

from data.contracts import Table
from data.ingest.answers import Page, digest_of, object_as_it_came, retry_after, total_of, value_at
from data.ingest.connections import Connection
from data.ingest.faults import Fault
from data.ingest.pulls import Pull, SourceFault, SourceUnavailable, Transient, Watermark, later_mark, text_of_mark
from data.settings import SourceSettings

__all__ = ["Service"]

MAX_PAGE_BYTES = 67_108_864  # [bytes] of one answer
_PASSING = frozenset({408, 425, 429, *range(500, 600)} - {501, 505})  # what the server did not do may be done later
_USUAL_LISTS = ("data", "items", "results", "records", "rows", "value")
_GZIP = 16 + zlib.MAX_WBITS
_JSON_TYPE = re.compile(r"(application|text)/([a-z0-9.+-]*\+)?(json|x-json)\b", re.IGNORECASE)


@dataclass
class Service:
    """A source that asks an HTTP service."""

    connection: Connection
    pull: Pull
    _seen: set[str] = field(default_factory=set)
    _streams: list[Any] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name of the source."""
        return self.pull.name

    @property
    def table(self) -> Table:
        """The input table it feeds."""
        return self.pull.table

    @property
    def spec(self) -> SourceSettings:
        """Its settings."""
        return self.pull.spec

    def pulled(self) -> tuple[Path, str | None, int]:
        """Ask for every page; return the file of all records, the new watermark and the number of records.

        Raises:
            SourceUnavailable: tries or deadline ran out, or the service refused.
            SourceFault: ``CONTENT_TYPE``, ``PAGINATION`` or ``LIMIT``.
        """
        path = self.pull.path("jsonl")
        highest: str | None = None
        rows, promised = 0, None
        base, auth, headers = _credentials(self.connection.url)
        with (
            httpx.Client(
                timeout=self.spec.timeout_seconds, auth=auth, headers=headers, follow_redirects=False
            ) as client,
            self._cut_at_deadline(),
            path.open("w", encoding="utf-8") as file,
        ):
            for page in self._pages(client, base):
                promised = total_of(page)
                for record in page.records:
                    file.write(json.dumps(record, ensure_ascii=False, default=str) + "\n")
                    rows += 1
                    highest = self._higher(highest, record)
        if promised is not None and rows < promised:
            raise SourceUnavailable(
                f"{Fault.TRUNCATED}: source {self.name}, {self.connection.name}: it says that there are {promised:,} "
                f"records, and gave {rows:,}; does it give pages? Then set `pagination`"
            )
        return path, highest, rows

    @contextmanager
    def _cut_at_deadline(self) -> Iterator[None]:
        """Cut what is open when the deadline comes: a server may send a byte now and then for ever."""

        def cut() -> None:
            for stream in self._streams:
                with suppress(OSError):  # it was closed long ago
                    stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

        timer = Timer(max(0.0, self.pull.seconds_left), cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _note_stream(self, event: str, told: dict[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            self._streams.append(told["return_value"])

    def close(self) -> None:
        """Remove the pulled file."""
        self.pull.close()

    def _higher(self, highest: str | None, record: Any) -> str | None:
        if not self.spec.watermark or not isinstance(record, dict):
            return highest
        value = value_at(record, self.spec.watermark)
        if value is None:
            return highest
        try:
            mark = text_of_mark(Watermark(str(value)).mark)
        except ValueError:
            return highest
        return mark if highest is None or mark is None else later_mark(mark, highest)

    def _pages(self, client: httpx.Client, base: str) -> Iterator[Page]:
        """Yield pages until the service says that there is none left."""
        kind = self.spec.pagination or ("cursor" if self.spec.cursor else "none")
        own = self._params()
        if self.spec.page_size is not None:
            own[self.spec.page_size_param] = str(self.spec.page_size)
        first, url, extra = self.spec.first_page, urljoin(base, (self.spec.path or "").lstrip("/")), {}
        sizes: list[int] = []
        for nth in range(self.spec.max_pages):
            if kind == "page":
                extra = {self.spec.page_param: str(first + nth)}
            page = self._asked(client, url, {**own, **extra}, may_be_missing=kind == "page" and nth > 0)
            sizes.append(len(page.records))
            if page.records and self._came_before(f"page {digest_of(page.records)}"):
                if self._is_one_short_page(sizes):
                    return
                raise self._circle("page")
            yield page
            match kind:
                case "page":
                    if not sizes[-1] or (nth and sizes[-1] < max(sizes) and self.spec.page_size):
                        return
                case "cursor":
                    following = value_at(page.body, self.spec.cursor or "")
                    if following in (None, "", False):
                        return
                    extra = {self.spec.cursor_param: str(following)}
                    if self._came_before(f"cursor {following}"):
                        raise self._circle(f"cursor {following}")
                case "link":
                    link = self._next_link(page)
                    if link is None:
                        return
                    url, own, extra = link, {}, {}
                    if self._came_before(f"link {link}"):
                        raise self._circle(f"link {link}")
                case _:
                    return
        raise self._fault(Fault.PAGINATION, f"more than {self.spec.max_pages:,} pages (max_pages); does it never end?")

    def _is_one_short_page(self, sizes: list[int]) -> bool:
        """Return whether a service that has less than a page gave that again: it pays no heed to the page's number.

        A first page that is short is no proof of being the last: a service may give fewer than it is asked for.
        """
        return len(sizes) == 2 and sizes[0] < (self.spec.page_size or 0)

    def _came_before(self, what: str) -> bool:
        is_known = what in self._seen
        self._seen.add(what)
        return is_known

    def _circle(self, what: str) -> SourceFault:
        return self._fault(Fault.PAGINATION, f"the {what} came before; it turns in a circle")

    def _next_link(self, page: Page) -> str | None:
        """Return the next page's address: of the Link header (RFC 8288), or of the field that `cursor` names."""
        found = value_at(page.body, self.spec.cursor) if self.spec.cursor else None
        if not self.spec.cursor:
            for address, said in re.findall(r"<([^>]*)>([^<]*)", page.headers.get("link", "")):
                if re.search(r';\s*rel="?([a-z ]* )?next\b', said, re.IGNORECASE):
                    found = address
        if not found:
            return None
        url = urljoin(page.url, str(found))
        if urlsplit(url)[:2] != urlsplit(page.url)[:2]:
            raise self._fault(Fault.PAGINATION, f"the next page lies on another server: {urlsplit(url).netloc}")
        return url

    def _asked(self, client: httpx.Client, url: str, params: dict[str, str], *, may_be_missing: bool = False) -> Page:
        what = f"asking {self.connection.name}"
        return self.pull.tried(lambda: self._asked_once(client, url, params, may_be_missing), what)

    def _asked_once(self, client: httpx.Client, url: str, params: dict[str, str], may_be_missing: bool) -> Page:
        noted = {"trace": self._note_stream}
        try:
            with client.stream("GET", httpx.URL(url).copy_merge_params(params), extensions=noted) as answer:
                where = str(answer.url.copy_with(query=None))
                if answer.status_code == 204 or (answer.status_code == 404 and may_be_missing):
                    return Page(where, [], [], answer.headers)
                self._refuse_status(answer)
                body = self._unpacked(answer)
        except httpx.InvalidURL as error:
            raise self._fault(Fault.PAGINATION, f"no address: {error}") from None
        except (httpx.HTTPError, zlib.error) as error:
            raise Transient(f"{type(error).__name__}: {error}") from error
        kind = answer.headers.get("content-type", "")
        if not _JSON_TYPE.match(kind):
            start = self.connection.masked(body[:60].decode("utf-8", errors="replace").strip())
            raise self._fault(Fault.CONTENT_TYPE, f"expected JSON, found {kind or 'no content type'}: {start!r}")
        decoded = self._decoded(body)
        return Page(where, decoded, self._records(decoded), answer.headers)

    def _refuse_status(self, answer: httpx.Response) -> None:
        status = answer.status_code
        if status in _PASSING:
            raise Transient(f"it answers {status}", retry_after(answer.headers))
        if status >= 300:
            raise SourceUnavailable(f"source {self.name}: {self.connection.name} answers {status}; {_advice(status)}")

    def _unpacked(self, answer: httpx.Response) -> bytes:
        """Return the body, never more of it in memory than a page may have: a bomb is refused while it unpacks."""
        packed = answer.headers.get("content-encoding", "identity").strip().lower()
        if packed not in ("", "identity", "gzip", "x-gzip"):
            raise self._fault(Fault.CONTENT_TYPE, f"the answer is packed as {packed!r}; only gzip was asked for")
        unpack = zlib.decompressobj(_GZIP) if "gzip" in packed else None
        body = bytearray()
        for piece in answer.iter_raw(65_536):
            body += piece if unpack is None else unpack.decompress(piece, MAX_PAGE_BYTES + 1 - len(body))
            if self.pull.seconds_left <= 0:
                raise Transient("it answers too slowly")
            if len(body) > MAX_PAGE_BYTES:
                raise self._fault(Fault.LIMIT, f"an answer of more than {MAX_PAGE_BYTES:,} bytes")
        if unpack is not None and not unpack.eof:
            raise Transient("its answer breaks off")
        return bytes(body)

    def _decoded(self, body: bytes) -> Any:
        """Return the answer, numbers as the text they came as: nothing is rounded on the way."""
        try:
            return json.loads(
                body, parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=object_as_it_came
            )
        except (ValueError, RecursionError) as error:
            text = body.strip()
            if text[:1] in (b"{", b"[") and text[-1:] not in (b"}", b"]"):
                raise Transient("its answer breaks off") from None
            raise self._fault(Fault.CONTENT_TYPE, f"the answer says JSON and is none: {str(error)[:100]}") from None

    def _records(self, body: Any) -> list[Any]:
        """Return the list of records in an answer."""
        found = body
        if self.spec.records:
            found = value_at(found, self.spec.records)
        elif isinstance(found, dict):
            lists = [k for k in _USUAL_LISTS if isinstance(found.get(k), list)]
            lists = lists or [k for k, v in found.items() if isinstance(v, list)]
            found = found[lists[0]] if lists else None
        if not isinstance(found, list):
            where = self.spec.records or "the answer"
            raise self._fault(Fault.CONTENT_TYPE, f"no list of records at {where}; name it with `records:`")
        return found

    def _params(self) -> dict[str, str]:
        values = {"run_date": self.pull.run_date.isoformat(), "watermark": _iso(self.pull.mark)}
        return {
            name: re.sub(r"(?<!\w):(run_date|watermark)\b", lambda m: values[m[1]], str(value))
            for name, value in self.spec.params.items()
        }

    def _fault(self, fault: Fault, message: str) -> SourceFault:
        return SourceFault(f"{fault}: source {self.name}, {self.connection.name}: {self.connection.masked(message)}")


def _iso(mark: Any) -> str:
    return mark.isoformat() if hasattr(mark, "isoformat") else str(mark)


def _credentials(url: str) -> tuple[str, httpx.Auth | None, dict[str, str]]:
    """Return the base address, and the secret as Basic (user and password) or Bearer (password alone)."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    base = urlunsplit((parts.scheme, host, parts.path.rstrip("/") + "/", "", ""))
    headers = {"accept": "application/json", "accept-encoding": "gzip"}
    own = dict(parse_qsl(parts.query))
    auth: httpx.Auth | None = _QueryAuth(own) if own else None
    user, password = httpx.URL(url).username, httpx.URL(url).password
    if user and password:
        auth = httpx.BasicAuth(user, password)
    elif password or user:
        headers["authorization"] = f"Bearer {password or user}"
    return base, auth, headers


class _QueryAuth(httpx.Auth):
    """A secret that travels as a query parameter: it is added behind everything that is shown or logged."""

    def __init__(self, params: dict[str, str]) -> None:
        self.params = params

    def auth_flow(self, request: httpx.Request) -> Any:
        """Add the parameters to a request."""
        request.url = request.url.copy_merge_params(self.params)
        yield request


def _advice(status: int) -> str:
    if status in (401, 403):
        return "check the secret of the connection"
    return "check the path" if status == 404 else "check the address of the connection"
