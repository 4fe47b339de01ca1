"""Serves a folder of static files on loopback."""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cli.render import say
from data.errors import ConfigError

__all__ = ["serve_folder"]


class _ReadOnly(SimpleHTTPRequestHandler):
    """Files only: no listing of folders such as ``.runs``."""

    def list_directory(self, path: str) -> None:  # type: ignore[override]
        """Refuse to list ``path``."""
        del path
        self.send_error(404, "No such page")


def serve_folder(folder: Path, *, port: int) -> None:
    """Serve ``folder`` on 127.0.0.1 until interrupted. Raises ``ConfigError`` where it does not exist."""
    if not folder.is_dir():
        raise ConfigError(f"{folder} does not exist: run merchcast first")
    with ThreadingHTTPServer(("127.0.0.1", port), partial(_ReadOnly, directory=str(folder.resolve()))) as server:
        say(f"http://127.0.0.1:{port}/current/reports/restock.html  (Ctrl-C ends it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("ended")
