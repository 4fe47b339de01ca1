"""The embedded Airflow of a home folder: its settings, its database, its server. Imports no Airflow itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["DAGS_FOLDER", "airflow_environment", "prepare", "serve"]

DAGS_FOLDER = Path(__file__).resolve().parent.parent / "dags"
_PASSWORDS = "simple_auth_manager_passwords.json.generated"


def _config(airflow_home: Path, port: int) -> str:
    return f"""\
# Written by merchcast; made for one machine. The web page listens on loopback only. Airflow's simple login is meant for
# development: put a real auth manager in front before anybody else may reach it.
[core]
dags_folder = {DAGS_FOLDER}
load_examples = False
executor = LocalExecutor
parallelism = 2
dags_are_paused_at_creation = False
execution_api_server_url = http://127.0.0.1:{port}/execution/
simple_auth_manager_users = planner:admin
simple_auth_manager_all_admins = False
[database]
sql_alchemy_conn = sqlite:///{airflow_home / "airflow.db"}
[logging]
logging_level = WARNING
base_log_folder = {airflow_home / "logs"}
[usage_data_collection]
enabled = False
[api]
host = 127.0.0.1
port = {port}
base_url = http://127.0.0.1:{port}
workers = 1
expose_config = False
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
    """Run the scheduler, the DAG processor and the web page on loopback until interrupted; return the exit code."""
    prepare(home, port=port)
    airflow_home = (home / "airflow").resolve()
    print(f"Airflow on http://127.0.0.1:{port} for {home.resolve()}", file=sys.stderr)
    print(f"user planner, password in {airflow_home / _PASSWORDS}", file=sys.stderr)
    environment = {**os.environ, **airflow_environment(home)}
    return subprocess.run([sys.executable, "-m", "airflow", "standalone"], env=environment, check=False).returncode
