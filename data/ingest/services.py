"""Sources of kind ``http``: a JSON service, asked page by page.

Every record becomes one line of JSON in a file, as it came; the file lands, and takes the strict path that any JSON
lines take. Passing failures are tried again with growing pauses, ``Retry-After`` is honoured, and one deadline stands
over all pages. An answer that is no JSON, or a page that comes twice, is a fault and no data.
"""

from __future__ import annotations

import email.utils
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit, urlunsplit

import httpx

from data.contracts import Table
from data.ingest.connections import Connection
from data.ingest.faults import Fault
from data.ingest.pulls import Pull, SourceFault, SourceUnavailable, Transient, Watermark, text_of_mark
from data.settings import SourceSettings

__all__ = ["Service"]

MAX_PAGE_BYTES = 67_108_864  # [bytes] of one answer
_PASSING = frozenset({408, 425, 429, *range(500, 600)} - {501, 505})  # what the server did not do may be done later
_USUAL_LISTS = ("data", "items", "results", "records", "rows", "value")
_JSON_TYPE = re.compile(r"(application|text)/([a-z0-9.+-]*\+)?(json|x-json)\b", re.IGNORECASE)


@dataclass(frozen=True)
class _Page:
    """One answer: the address it came from, its decoded body, the records in it, its headers."""

    url: str
    body: Any
    records: list[Any]
    headers: httpx.Headers


@dataclass
class Service:
    """A source that asks an HTTP service."""

    connection: Connection
    pull: Pull
    _seen: set[str] = field(default_factory=set)

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
        rows = 0
        base, auth, headers = _credentials(self.connection.url)
        with (
            httpx.Client(
                timeout=self.spec.timeout_seconds, auth=auth, headers=headers, follow_redirects=False
            ) as client,
            path.open("w", encoding="utf-8") as file,
        ):
            for page in self._pages(client, base):
                for record in page.records:
                    file.write(json.dumps(record, ensure_ascii=False, default=str) + "\n")
                    rows += 1
                    highest = self._higher(highest, record)
        return path, highest, rows

    def close(self) -> None:
        """Remove the pulled file."""
        self.pull.close()

    def _higher(self, highest: str | None, record: Any) -> str | None:
        if not self.spec.watermark or not isinstance(record, dict):
            return highest
        value = _at(record, self.spec.watermark)
        if value is None:
            return highest
        try:
            mark = text_of_mark(Watermark(str(value)).mark)
        except ValueError:
            return highest
        return mark if highest is None or Watermark(mark or "").mark > Watermark(highest).mark else highest  # type: ignore[operator]

    def _pages(self, client: httpx.Client, base: str) -> Iterator[_Page]:
        """Yield pages until the service says that there is none left."""
        kind = self.spec.pagination or ("cursor" if self.spec.cursor else "none")
        own = self._params()
        if self.spec.page_size is not None:
            own[self.spec.page_size_param] = str(self.spec.page_size)
        number, url, extra = self.spec.first_page, urljoin(base, (self.spec.path or "").lstrip("/")), {}
        if kind == "page":
            extra = {self.spec.page_param: str(number)}
        for _ in range(self.spec.max_pages):
            page = self._asked(client, url, {**own, **extra})
            if page.records:
                digest = hashlib.sha256(json.dumps(page.records).encode()).hexdigest()
                self._refuse_again(f"page {digest[:12]}")
            yield page
            match kind:
                case "page":
                    got = len(page.records)
                    if got < (self.spec.page_size or 1):
                        return
                    number += 1
                    extra = {self.spec.page_param: str(number)}
                case "cursor":
                    following = _at(page.body, self.spec.cursor or "")
                    if following in (None, "", False):
                        return
                    extra = {self.spec.cursor_param: str(following)}
                    self._refuse_again(f"cursor {following}")
                case "link":
                    link = self._next_link(page)
                    if link is None:
                        return
                    url, own, extra = link, {}, {}
                    self._refuse_again(f"link {link}")
                case _:
                    return
        raise self._fault(Fault.PAGINATION, f"more than {self.spec.max_pages:,} pages (max_pages); does it never end?")

    def _refuse_again(self, what: str) -> None:
        if what in self._seen:
            raise self._fault(Fault.PAGINATION, f"the {what} came before; it turns in a circle")
        self._seen.add(what)

    def _next_link(self, page: _Page) -> str | None:
        """Return the next page's address: of the Link header (RFC 8288), or of the field that `cursor` names."""
        found = _at(page.body, self.spec.cursor) if self.spec.cursor else None
        if not self.spec.cursor:
            for part in page.headers.get("link", "").split(","):
                match = re.match(r"\s*<([^>]*)>(.*)", part)
                if match and re.search(r';\s*rel="?next"?', match[2]):
                    found = match[1]
        if not found:
            return None
        url = urljoin(page.url, str(found))
        if urlsplit(url)[:2] != urlsplit(page.url)[:2]:
            raise self._fault(Fault.PAGINATION, f"the next page lies on another server: {urlsplit(url).netloc}")
        return url

    def _asked(self, client: httpx.Client, url: str, params: dict[str, str]) -> _Page:
        return self.pull.tried(lambda: self._asked_once(client, url, params), f"asking {self.connection.name}")

    def _asked_once(self, client: httpx.Client, url: str, params: dict[str, str]) -> _Page:
        body = bytearray()
        try:
            with client.stream("GET", httpx.URL(url).copy_merge_params(params)) as answer:
                for piece in answer.iter_bytes(65_536):
                    body += piece
                    if self.pull.seconds_left <= 0:
                        raise Transient("it answers too slowly")
                    if len(body) > MAX_PAGE_BYTES:
                        raise self._fault(Fault.LIMIT, f"an answer of more than {MAX_PAGE_BYTES:,} bytes")
        except httpx.InvalidURL as error:
            raise self._fault(Fault.PAGINATION, f"no address: {error}") from None
        except httpx.HTTPError as error:
            raise Transient(f"{type(error).__name__}: {error}") from error
        status = answer.status_code
        if status in _PASSING:
            raise Transient(f"it answers {status}", _retry_after(answer.headers))
        if status >= 300:
            raise SourceUnavailable(f"source {self.name}: {self.connection.name} answers {status}; {_advice(status)}")
        kind = answer.headers.get("content-type", "")
        if not _JSON_TYPE.match(kind):
            start = self.connection.masked(bytes(body[:60]).decode("utf-8", errors="replace").strip())
            raise self._fault(Fault.CONTENT_TYPE, f"expected JSON, found {kind or 'no content type'}: {start!r}")
        decoded = self._decoded(bytes(body))
        return _Page(str(answer.url.copy_with(query=None)), decoded, self._records(decoded), answer.headers)

    def _decoded(self, body: bytes) -> Any:
        """Return the answer, numbers as the text they came as: nothing is rounded on the way."""
        try:
            return json.loads(body, parse_float=str, parse_int=str, parse_constant=str)
        except (ValueError, RecursionError) as error:
            raise self._fault(Fault.CONTENT_TYPE, f"the answer says JSON and is none: {str(error)[:100]}") from None

    def _records(self, body: Any) -> list[Any]:
        """Return the list of records in an answer."""
        found = body
        if self.spec.records:
            found = _at(found, self.spec.records)
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


def _at(body: Any, path: str) -> Any:
    """Return what stands at a dotted path, None where there is nothing."""
    for name in path.split("."):
        body = body.get(name) if isinstance(body, dict) else None
    return body


def _iso(mark: Any) -> str:
    return mark.isoformat() if hasattr(mark, "isoformat") else str(mark)


def _credentials(url: str) -> tuple[str, httpx.Auth | None, dict[str, str]]:
    """Return the base address, and the secret as Basic (user and password) or Bearer (password alone)."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    base = urlunsplit((parts.scheme, host, parts.path.rstrip("/") + "/", "", ""))
    headers = {"accept": "application/json"}
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


def _retry_after(headers: httpx.Headers) -> float | None:
    """Return what ``Retry-After`` asks for [s]: a number, or an HTTP date."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]+", value):
        return float(value)
    try:
        then = email.utils.parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return max(0.0, (then - datetime.now(UTC)).total_seconds())


def _advice(status: int) -> str:
    if status in (401, 403):
        return "check the secret of the connection"
    return "check the path" if status == 404 else "check the address of the connection"
