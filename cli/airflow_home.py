"""The embedded Airflow of a home folder: its settings, its database, its server. Imports no Airflow itself."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from cli.render import say
from data.errors import SourceError

__all__ = ["DAGS_FOLDER", "airflow_environment", "prepare", "serve"]

DAGS_FOLDER = Path(__file__).resolve().parent.parent / "dags"
_POLL_SECONDS = 2.0
_PATIENCE_SECONDS = 180.0
_PASSWORDS = "simple_auth_manager_passwords.json.generated"


def _secret(airflow_home: Path) -> str:
    """Return the secret by which this home's Airflow processes know each other; only its owner can read it."""
    path = airflow_home / "secret"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(32), encoding="utf-8")
    return path.read_text(encoding="utf-8")


def _config(airflow_home: Path, port: int) -> str:
    return f"""\
# Written by merchcast; made for one machine. The web page listens on loopback only. Airflow's simple login is meant for
# development: put a real auth manager in front before anybody else may reach it.
[core]
dags_folder = {DAGS_FOLDER}
load_examples = False
executor = LocalExecutor
parallelism = 1
dags_are_paused_at_creation = False
execution_api_server_url = http://127.0.0.1:{port}/execution/
simple_auth_manager_users = planner:admin
simple_auth_manager_all_admins = False
[database]
sql_alchemy_conn = sqlite:///{airflow_home / "airflow.db"}
[logging]
logging_level = ERROR
base_log_folder = {airflow_home / "logs"}
[usage_data_collection]
enabled = False
[api]
host = 127.0.0.1
port = {port}
base_url = http://127.0.0.1:{port}
workers = 1
expose_config = False
secret_key = {_secret(airflow_home)}
[api_auth]
jwt_secret = {_secret(airflow_home)}
[dag_processor]
refresh_interval = 60
[scheduler]
catchup_by_default = False
"""


def airflow_environment(home: Path) -> dict[str, str]:
    """Return the environment that a process needs to find this home's Airflow."""
    return {
        "AIRFLOW_HOME": str((home / "airflow").resolve()),
        "MERCHCAST_HOME": str(home.resolve()),
        "OMP_WAIT_POLICY": "passive",
        "PYTHONWARNINGS": "ignore",
    }


def prepare(home: Path, *, port: int = 8080) -> None:
    """Write ``airflow.cfg`` and migrate the database of a home folder, unless that is done.

    The database is migrated in a copy and moved into place, so that an interrupted migration leaves nothing half made.
    """
    airflow_home = (home / "airflow").resolve()
    airflow_home.mkdir(parents=True, exist_ok=True)
    config = airflow_home / "airflow.cfg"
    text = _config(airflow_home, port)
    if not config.is_file() or config.read_text(encoding="utf-8") != text:
        config.touch(mode=0o600)
        config.write_text(text, encoding="utf-8")
    passwords = airflow_home / _PASSWORDS
    if not passwords.exists():
        passwords.touch(mode=0o600)
        passwords.write_text("{}", encoding="utf-8")
    database = airflow_home / "airflow.db"
    if database.is_file():
        return
    fresh = airflow_home / "airflow.db.new"
    fresh.unlink(missing_ok=True)
    environment = {
        **os.environ,
        **airflow_environment(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{fresh}",
    }
    command = [sys.executable, "-m", "airflow", "db", "migrate"]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    shutil.move(fresh, database)


def serve(home: Path, *, port: int = 8080) -> int:
    """Run the web page, then the scheduler and the DAG processor, until one ends or a signal comes; return 0 or 1.

    `airflow standalone` would open two more ports to the network, for logs that lie on this machine anyway.
    """
    prepare(home, port=port)
    say(f"Airflow on http://127.0.0.1:{port} for {home.resolve()}")
    say(f"user planner, password in {home.resolve() / 'airflow' / _PASSWORDS}")
    environment = {**os.environ, **airflow_environment(home)}
    processes: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str) -> None:
        processes.append(subprocess.Popen([sys.executable, "-m", "airflow", *arguments], env=environment))

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        start("api-server")
        _wait_until_healthy(processes[0], port)
        start("scheduler", "--skip-serve-logs")
        start("dag-processor")
        while all(process.poll() is None for process in processes):
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        return 0
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
    return 1


def _wait_until_healthy(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/version", timeout=_POLL_SECONDS):
                return
        except OSError:
            time.sleep(_POLL_SECONDS)
    raise SourceError(f"Airflow's web server did not come up on 127.0.0.1:{port}; is the port taken?")
