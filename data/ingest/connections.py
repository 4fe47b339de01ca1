"""Where a source's secret comes from, and how it is kept out of every message.

A connection names an environment variable or an Airflow connection; the home folder never holds a secret. Airflow's
own ``AIRFLOW_CONN_<ID>`` variables are read here; its store is asked through a hook that the process which runs the
DAG sets with :func:`use_store`, for the rooms do not import Airflow.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from data.errors import ConfigError
from data.settings import ConnectionSettings

__all__ = ["Connection", "connection_of", "use_store"]

HIDDEN = "***"
_SHORTEST_SECRET = 3  # characters; hiding every "a" would hide the message
_SECRET_NAMES = re.compile(r"(?i)(pass|secret|token|key|auth|sig)")
_DRIVERS = {"postgres": "postgresql", "mssql": "mssql+pyodbc"}
_store: list[Callable[[str], str | None]] = []


@dataclass(frozen=True)
class Connection:
    """A connection's name and URL. Shown, it is the name alone."""

    name: str
    url: str = field(repr=False)

    def masked(self, text: object) -> str:
        """Return ``text`` without the URL, the password and the tokens of this connection.

        >>> Connection("shop_db", "postgresql://ann:s3cret@db/shop").masked("no route to ann:s3cret@db")
        'no route to ann:***@db'
        """
        shown = str(text).replace(self.url, f"<{self.name}>")
        for secret in sorted(self._secrets(), key=len, reverse=True):
            shown = shown.replace(secret, HIDDEN)
        return shown

    def _secrets(self) -> set[str]:
        parts = urlsplit(self.url)
        found = {parts.password or ""}
        if not parts.password and parts.username and parts.scheme.startswith("http"):
            found.add(parts.username)
        found |= {value for name, value in parse_qsl(parts.query) if _SECRET_NAMES.search(name)}
        found |= {unquote(s) for s in found} | {quote(s, safe="") for s in found}
        return {s for s in found if len(s) >= _SHORTEST_SECRET}


def use_store(lookup: Callable[[str], str | None]) -> None:
    """Set how a connection id is looked up in a store of connections: its URL, or None where it is unknown."""
    _store[:] = [lookup]


def connection_of(name: str, settings: ConnectionSettings) -> Connection:
    """Return a connection with its secret.

    Raises:
        ConfigError: the variable is not set, or no store knows the id.
    """
    if settings.env is not None:
        url = os.environ.get(settings.env, "")
        if not url:
            raise ConfigError(f"connections.{name}: environment variable {settings.env} is not set; put the URL there")
    else:
        url = _airflow_url(name, settings.airflow or "")
    _refuse_broken(name, url)
    return Connection(name, url)


def _refuse_broken(name: str, url: str) -> None:
    """Refuse a URL that cannot be read as its owner meant it, without a part of it: any may be the secret's.

    Raises:
        ConfigError: it has no scheme, or a password with characters that end it too early.
    """
    try:
        parts = urlsplit(url)
        is_whole = parts.port is not None or not parts.netloc.rpartition("@")[2].endswith(":")
    except ValueError:
        parts, is_whole = urlsplit("-:"), False
    if is_whole and not parts.scheme:
        raise ConfigError(
            f"connections.{name}: its secret is no URL; expected something like postgresql://user@host/db"
        )
    lost = "@" in f"{parts.path}{parts.query}" and "@" not in parts.netloc and not parts.scheme.startswith("http")
    if not is_whole or parts.fragment or lost:
        raise ConfigError(
            f"connections.{name}: its URL cannot be read; characters like / ? # @ % in a user or password have to be "
            "percent-encoded (%2F %3F %23 %40 %25)"
        )


def _airflow_url(name: str, conn_id: str) -> str:
    variable = f"AIRFLOW_CONN_{conn_id.upper()}"
    text = os.environ.get(variable)
    for lookup in _store:
        text = text or lookup(conn_id)
    if not text:
        raise ConfigError(f"connections.{name}: Airflow has no connection {conn_id!r}, and {variable} is not set")
    if text.lstrip().startswith("{"):
        return _url_of(json.loads(text))
    return _plain(text)


def _url_of(parts: dict[str, Any]) -> str:
    """Return the URL of a connection that Airflow wrote as JSON."""
    kind = str(parts.get("conn_type", "")).replace("-", "_")
    host, schema = str(parts.get("host") or ""), str(parts.get("schema") or "")
    if kind.startswith("http"):
        secure = host.partition("://")[0] if "://" in host else (schema or kind)
        kind, host, schema = secure, host.partition("://")[2] or host, ""
    login, password = (quote(str(parts.get(k) or ""), safe="") for k in ("login", "password"))
    user = f"{login}:{password}@" if password else (f"{login}@" if login else "")
    port = f":{parts['port']}" if parts.get("port") else ""
    extra = parts.get("extra") or {}
    extra = json.loads(extra) if isinstance(extra, str) else extra
    plain = {k: v for k, v in extra.items() if isinstance(v, (str, int)) and not k.startswith("__")}
    query = f"?{urlencode(plain)}" if plain else ""
    path = f"/{quote(schema, safe='')}" if schema else ""
    return f"{_DRIVERS.get(kind, kind)}://{user}{host}{port}{path}{query}"


def _plain(url: str) -> str:
    """Return the URL behind one that Airflow wrote: its scheme is a connection type, its path may be a protocol."""
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.path.strip("/") in ("http", "https"):
        return urlunsplit((parts.path.strip("/"), parts.netloc, "", parts.query, ""))
    scheme = _DRIVERS.get(parts.scheme, parts.scheme)
    return urlunsplit((scheme, parts.netloc, parts.path, parts.query, parts.fragment))
