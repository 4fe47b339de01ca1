"""Serves ``published/`` as static files: on loopback as it is, on any other address with a token only."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from functools import partial
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from cli.render import say
from data.errors import ConfigError, SourceError

__all__ = ["is_loopback", "make_server", "serve_folder"]

COOKIE = "merchcast"
LEAST_TOKEN = 16  # [characters] of a token that somebody chose
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach ``host``.

    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "10.0.0.7", "shop.example")]
    [True, True, True, False, False, False]
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _ReadOnly(SimpleHTTPRequestHandler):
    """Published files only: no listing, no hidden folder such as ``.runs``, nothing outside the folder."""

    server_version = "merchcast"
    sys_version = ""
    token = ""  # without one, whoever reaches the port may read

    def __init__(self, *args: object, directory: str, token: str = "", **kwargs: object) -> None:
        self.token = token
        super().__init__(*args, directory=directory, **kwargs)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Answer with a file."""
        if self._may_pass():
            super().do_GET()

    def do_HEAD(self) -> None:
        """Answer with a file's headers."""
        if self._may_pass():
            super().do_HEAD()

    def _may_pass(self) -> bool:
        """Refuse strangers and hidden paths; a right token in the address becomes a cookie and leaves the address."""
        address = urlsplit(self.path)
        if not self.token:
            # Another site's page must not read the reports through a name that it points to this machine.
            host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
            if host and host not in LOOPBACK_NAMES:
                self.send_error(HTTPStatus.MISDIRECTED_REQUEST, "Ask for localhost")
                return False
        elif not self._knows_token(self._cookie()):
            offered = parse_qs(address.query).get("token", [""])[0]
            if not self._knows_token(offered):
                self.send_error(HTTPStatus.UNAUTHORIZED, "Add ?token=... as merchcast serve printed it")
                return False
            self.send_response(HTTPStatus.SEE_OTHER)
            self.send_header("Set-Cookie", f"{COOKIE}={self.token}; HttpOnly; SameSite=Strict; Path=/")
            self.send_header("Location", "/" + address.path.lstrip("/"))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return False
        if any(part.startswith(".") for part in unquote(address.path).split("/")) or not self._is_inside():
            self.send_error(HTTPStatus.NOT_FOUND, "No such page")
            return False
        return True

    def _cookie(self) -> str:
        try:
            found = SimpleCookie(self.headers.get("Cookie", "")).get(COOKIE)
        except CookieError:
            return ""
        return found.value if found else ""

    def _knows_token(self, offered: str) -> bool:
        return hmac.compare_digest(offered.encode(), self.token.encode())

    def _is_inside(self) -> bool:
        """Return whether the file lies below the served folder once every link is followed."""
        return Path(self.translate_path(self.path)).resolve().is_relative_to(Path(self.directory).resolve())

    def end_headers(self) -> None:
        """Add what keeps a browser from guessing types, caching an old run, or telling others the address."""
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def list_directory(self, path: str) -> None:  # type: ignore[override]
        """Refuse to list ``path``."""
        del path
        self.send_error(HTTPStatus.NOT_FOUND, "No such page")

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log without the query: it may hold the token."""
        self.log_message(
            '"%s %s" %s %s', self.command, urlsplit(self.path).path, str(getattr(code, "value", code)), size
        )


def make_server(folder: Path, *, host: str, port: int, token: str = "") -> ThreadingHTTPServer:
    """Return a server of ``folder`` that is bound and not yet serving; port 0 takes a free one.

    Raises:
        ConfigError: the folder is not there, or the address is no loopback and no token guards it.
        SourceError: the address is taken or not this machine's.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder} does not exist: run merchcast first")
    if not is_loopback(host) and not token:
        raise ConfigError(f"--host {host} can be reached by others: a token must guard it")
    handler = partial(_ReadOnly, directory=str(folder.resolve()), token=token)
    try:
        return ThreadingHTTPServer((host, port), handler)
    except OSError as error:
        raise SourceError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error


def serve_folder(folder: Path, *, port: int, host: str = "127.0.0.1", token: str | None = None) -> None:
    """Serve ``folder`` until interrupted; on an address that others can reach, with a token that is printed once.

    Raises:
        ConfigError: the folder does not exist, or the token is too short to guard anything.
    """
    if token is not None and len(token) < LEAST_TOKEN:
        raise ConfigError(
            f"--token has {len(token)} characters; {LEAST_TOKEN} or more guard a page, leave it out to get one"
        )
    guard = token or ("" if is_loopback(host) else secrets.token_urlsafe(24))
    with make_server(folder, host=host, port=port, token=guard) as server:
        page = "" if (folder / "index.html").is_file() else "current/reports/restock.html"
        shown = f"[{host}]" if ":" in host else host
        say(f"http://{shown}:{server.server_port}/{page}{'?token=' + guard if guard else ''}  (Ctrl-C ends it)")
        if not is_loopback(host):
            say("The connection is not encrypted: put a proxy with TLS before it where the network is not yours.")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("ended")
