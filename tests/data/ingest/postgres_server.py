"""A PostgreSQL server of a test's own: a temporary data folder, a loopback port, its own user where we are root."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
_SERVER_USER = "postgres"


def has_postgres() -> bool:
    """Whether Debian's package is installed."""
    return bool(BINARIES) and (BINARIES[0] / "initdb").is_file()


class PostgresServer:
    """A running server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"postgresql://shopkeeper:t0psecret@127.0.0.1:{self.port}/postgres"
        self.process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """Make the data folder."""
        password = self.folder / "password"
        password.write_text("t0psecret\n")
        if os.geteuid() == 0:
            for path in (self.folder, password):
                shutil.chown(path, _SERVER_USER)
        self._run("initdb", "-D", str(self.folder / "data"), "-A", "scram-sha-256", "-U", "shopkeeper", "--no-sync",
                  "--pwfile", str(password), "--locale=C", "--encoding=UTF8")  # fmt: skip

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = ["-D", str(self.folder / "data"), "-p", str(self.port), "-h", "127.0.0.1", "-k", str(self.folder)]
        fast = [part for s in ("fsync=off", "full_page_writes=off") for part in ("-c", s)]
        self.process = subprocess.Popen(
            [str(BINARIES[0] / "postgres"), *options, *fast], stderr=subprocess.DEVNULL, **self._user()
        )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self._run("pg_isready", "-h", "127.0.0.1", "-p", str(self.port), check=False) == 0:
                return
            time.sleep(0.05)
        raise TimeoutError("PostgreSQL does not start")

    def stop(self, how: int = signal.SIGINT) -> None:
        """End the server; SIGINT ends its sessions, SIGQUIT at once and without a word."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None

    def execute(self, *statements: str) -> None:
        """Run statements."""
        import adbc_driver_postgresql.dbapi as adbc

        with adbc.connect(self.url, autocommit=True) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def _run(self, program: str, *arguments: str, check: bool = True) -> int:
        command = [str(BINARIES[0] / program), *arguments]
        return subprocess.run(command, check=check, capture_output=True, cwd="/", **self._user()).returncode

    def _user(self) -> dict[str, str]:
        return {"user": _SERVER_USER, "group": _SERVER_USER} if os.geteuid() == 0 else {}


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Yield a running server, and remove it."""
    folder = Path(tempfile.mkdtemp(prefix="merchcast-pg-"))
    folder.chmod(0o755)
    server = PostgresServer(folder)
    try:
        server.make()
        server.start()
        yield server
    finally:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(folder)
