"""Files are opened by a process of their own: what a hostile one may do there hurts nobody.

The child inspects: it unpacks, decodes, finds the records, reads workbooks and JSON, opens Parquet footers. It gets
file names and hands back plain values; it knows no secret, holds no database, and lives under limits of memory and
time. A file that kills it, hangs it or eats its memory is refused by name, and the next file meets a new child.

One child serves a whole ingest: starting it costs half a second once, a file some microseconds.
"""

from __future__ import annotations

import io
import os
import pickle  # requests are ours; answers are read by a reader that knows ten classes
import resource
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

from data.contracts import TABLES
from data.errors import SourceError
from data.ingest.deliveries import DeliveredFile, inspected
from data.ingest.faults import DeliveryRefused, Fault
from data.ingest.formats import FileFormat
from data.ingest.landing import Sighting
from data.ingest.people import PersonBook
from data.ingest.splitting import split_cells
from data.settings import SourceSettings

__all__ = ["MEMORY_BYTES", "Child", "Request", "SplitRequest", "reading_child", "serve"]

MEMORY_BYTES = 1_000_000_000  # [bytes] beyond what the child has when it starts
PATIENCE_SECONDS = 20.0  # for any file
SLOWEST_BYTES_PER_SECOND = 1_000_000  # and this for its size: fifty times slower than the slowest format is read
_LAST_WORDS_SECONDS = 0.5
_READY = "ready"
_LENGTH = struct.Struct("!Q")
_KNOWN_MODULES = (
    "data.ingest.",
    "data.contracts",
    "data.settings",
    "data.source_settings",
    "pathlib",
    "datetime",
    "collections",
    "_pydatetime",
)
_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")


@dataclass(frozen=True)
class Request:
    """One file to inspect; see :func:`data.ingest.deliveries.inspected`."""

    sighting: Sighting
    delivery_id: int
    path: Path
    table: str
    spec: SourceSettings
    work: Path
    before: tuple[str, ...] | None


@dataclass(frozen=True)
class SplitRequest:
    """One workbook or file of JSON lines to take people out of; see :func:`data.ingest.splitting.split_cells`."""

    path: Path
    into: Path
    form: FileFormat
    table: str
    spec: SourceSettings
    tag: str
    name: str
    source: str


class Child:
    """The process that opens files."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._is_awaited = False

    @property
    def pid(self) -> int | None:
        """Number of the process, None where none runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def inspected(self, request: Request) -> DeliveredFile:
        """Return the inspected file.

        Raises:
            DeliveryRefused: for every fault that concerns the whole file, ``LIMIT`` where it took too long, took too
                much memory, or ended the process that read it.
        """
        sighting = request.sighting
        answer = self._asked(request, sighting.source, sighting.file_name, sighting.size)
        assert isinstance(answer, DeliveredFile)
        return answer

    def split(self, request: SplitRequest) -> PersonBook | None:
        """Return the people taken out of a file, None where it holds none. Raises as `inspected`."""
        answer = self._asked(request, request.source, request.name, request.path.stat().st_size)
        assert answer is None or isinstance(answer, PersonBook)
        return answer

    def _asked(self, request: Request | SplitRequest, source: str, file: str, size: int) -> Any:
        process = self._started()
        seconds = PATIENCE_SECONDS + size / SLOWEST_BYTES_PER_SECOND
        timer = threading.Timer(seconds, process.kill)
        timer.start()
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            _send(process.stdin, request)
            kind, answer = _received(process.stdout)
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            self.end()
            ended = process.returncode
            how = f"it took more than {seconds:.0f} s" if ended == -9 else f"the process that read it ended ({ended})"
            message = f"{how}; is it what it says it is? Deliver it again"
            raise DeliveryRefused(Fault.LIMIT, message, source=source, file=file) from error
        finally:
            timer.cancel()
        if kind == "refused":
            fault, message, line = answer
            raise DeliveryRefused(Fault(fault), message, source=source, file=file, line=line)
        return answer

    def end(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None and not _ends(process):
            process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with _Quiet():
                    pipe.close()

    def begin(self) -> None:
        """Start the process, unless it runs, and do not wait for it: it gets ready while its first file lands."""
        if self._process is None or self._process.poll() is not None:
            self.end()
            root = Path(__file__).resolve().parents[2]
            environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
            self._process = subprocess.Popen(
                [sys.executable, "-c", "from data.ingest.child import serve; serve()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**environment, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
            self._is_awaited = True

    def _started(self) -> subprocess.Popen[bytes]:
        self.begin()
        assert self._process is not None
        if self._is_awaited:
            self._is_awaited = False
            _await_start(self._process)
        return self._process


_current: list[Child] = []


@contextmanager
def reading_child() -> Iterator[Child]:
    """Yield the child of this process; it ends with the outermost of nested uses."""
    if _current:
        yield _current[0]
        return
    _current.append(Child())
    try:
        yield _current[0]
    finally:
        _current.pop().end()


def _await_start(process: subprocess.Popen[bytes]) -> None:
    """Wait until the child is ready: what goes wrong before is no file's fault."""
    assert process.stdout is not None
    try:
        ready = _received(process.stdout)
    except EOFError:
        ready = None
    if ready != _READY:
        process.kill()
        raise SourceError("the process that opens files does not start; is this installation complete?")


def _ends(process: subprocess.Popen[bytes]) -> bool:
    """Close the way to a process and return whether it ends by itself."""
    assert process.stdin is not None
    with _Quiet():
        process.stdin.close()
    try:
        process.wait(_LAST_WORDS_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


class _Quiet:
    """Closing a pipe whose other end is gone is no news."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is not None and issubclass(kind, OSError)


def _send(pipe: IO[bytes], value: Any) -> None:
    data = pickle.dumps(value)
    pipe.write(_LENGTH.pack(len(data)) + data)
    pipe.flush()


def _received(pipe: IO[bytes]) -> Any:
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError("nothing came")
    (length,) = _LENGTH.unpack(head)
    data = pipe.read(length)
    if len(data) < length:
        raise EOFError("it broke off")
    return _Reader(io.BytesIO(data)).load()


class _Reader(pickle.Unpickler):
    """Reads values of our own classes and nothing that acts."""

    def find_class(self, module: str, name: str) -> Any:
        """Return a class of ours; refuse everything else."""
        if not module.startswith(_KNOWN_MODULES) or name.startswith("_") or "." in name:
            raise pickle.UnpicklingError(f"{module}.{name} is no answer")
        found = super().find_class(module, name)
        if not isinstance(found, type):
            raise pickle.UnpicklingError(f"{module}.{name} is no class")
        return found


def serve() -> NoReturn:
    """Answer requests from standard input until it ends. Nothing else is ever written to standard output."""
    import pyarrow.parquet  # noqa: F401 - now, before the limit stands

    _limit()
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    _send(answers, _READY)
    while True:
        try:
            request = _received(requests)
        except EOFError:
            os._exit(0)  # nothing is left to be written, and taking the libraries down takes half a second
        _send(answers, _answer(request))


def _limit() -> None:
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, used + MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _answer(request: Request | SplitRequest) -> tuple[str, Any]:
    try:
        return "done", _done(request)
    except DeliveryRefused as error:
        message = str(error).removeprefix(f"{error.fault}: {error.place}: ")
        return "refused", (str(error.fault), message, error.place.line)
    except MemoryError:
        return "refused", (str(Fault.LIMIT), f"reading it takes more than {MEMORY_BYTES:,} bytes of memory", None)
    except Exception as error:  # a library that trips over a file condemns the file, not the night
        message = f"it cannot be read: {type(error).__name__}: {str(error)[:200]}"
        return "refused", (str(Fault.FORMAT), message, None)


def _done(request: Request | SplitRequest) -> DeliveredFile | PersonBook | None:
    table = TABLES[request.table]
    if isinstance(request, SplitRequest):
        return split_cells(request.path, request.into, request.form, table=table, spec=request.spec, tag=request.tag)
    return inspected(
        request.sighting,
        delivery_id=request.delivery_id,
        path=request.path,
        table=table,
        spec=request.spec,
        work=request.work,
        before=request.before,
    )
