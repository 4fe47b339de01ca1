"""Sends word of a published run: mail, webhook, folder, bucket, as merchcast.yml says. Never fails a run.

What happened is one line per way in ``published/.deliveries.jsonl``. A run that was delivered is not delivered again:
clearing the task is safe.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
from pydantic import ValidationError

from data.errors import ConfigError
from data.publish.layout import previous_runs, run_folder
from data.settings import Settings, load_settings
from reporting.catalogue import load_catalogue
from reporting.config import ReportingConfig
from reporting.delivery import Notice, chat_message, mail_html, mail_subject, notice_text
from reporting.headline import Headline, headline
from reporting.index_page import CHANGES
from reporting.plan_lines import ACTIONS
from reporting.senders import Mail, copy_to_bucket, copy_to_folder, post_message, send_mail

__all__ = ["LOG", "AirflowHands", "notice_of", "run"]

LOG = ".deliveries.jsonl"
MEGABYTE = 2**20
BASE64 = 4 / 3  # an attachment grows by this when it is mailed
PAUSE_SECONDS = 2.0  # before the second try, doubled before each further one
PLAN_COLUMNS = [
    "sku", "location_id", "action", "status", "order_qty", "order_value", "excess_value", "on_hand",
    "p_stockout_before_receipt", "demand_mean", "unit_cost", "forecast_wape", "forecast_bias",
]  # fmt: skip

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AirflowHands:
    """What Airflow does where a connection is Airflow's; the DAG gives it, so that this room does without Airflow.

    Attributes:
        uri: connection id -> its URI.
        mail: sends a mail through Airflow's SMTP provider and the connection of that id.
    """

    uri: Callable[[str], str]
    mail: Callable[[str, Mail], None]


def run(home: Path, run_date: date, *, airflow: AirflowHands | None = None) -> dict[str, int]:
    """Deliver the published run of ``run_date`` by every way that is configured; return ways tried and done.

    A way that fails is tried again, then logged; the others go on, and what is published stands.
    """
    try:
        settings = load_settings(home)
        config = ReportingConfig.model_validate(settings.rooms.get("reporting", {}))
        notice = notice_of(run_folder(home, run_date.isoformat()), settings=settings, config=config, home=home)
    except (ConfigError, ValidationError, OSError, ValueError):
        log.exception("the run for %s was not delivered", run_date)
        return {"rows_in": 0, "rows_out": 0}
    sends = _ways(home, notice, settings=settings, config=config, airflow=airflow)
    done = 0
    for way, send in sends.items():
        if _is_delivered(home, notice, way):
            log.info("%s: the run for %s was delivered before", way, run_date)
            continue
        error = _tried(send, way=way, attempts=config.delivery.attempts)
        _remember(home, notice, way=way, error=error)
        done += error is None
    return {"rows_in": len(sends), "rows_out": done}


def notice_of(folder: Path, *, settings: Settings, config: ReportingConfig, home: Path) -> Notice:
    """Return what is told about the run in ``folder``, from its published tables."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    run_date = date.fromisoformat(manifest["run_date"])
    earlier = previous_runs(home, run_date, 1)
    plan = _table(folder, "restock_plan", PLAN_COLUMNS)
    changes = _table(folder, "plan_changes", ["change"])["change"].value_counts()
    actions = plan["action"].value_counts()
    return Notice(
        shop=settings.shop.name,
        currency=settings.shop.currency,
        run_date=run_date,
        now=_headline(folder, config=config),
        before=_headline(earlier[0], config=config) if earlier else None,
        checks={name: int(n) for name, n in manifest["checks"].items()},
        actions={action: int(actions.get(action, 0)) for action in ACTIONS},
        changes={change: int(changes.get(change, 0)) for change in CHANGES},
        report=str(home / "published" / run_date.isoformat() / "reports" / "restock.html"),
        content_sha256=str(manifest["content_sha256"]),
    )


def _ways(
    home: Path, notice: Notice, *, settings: Settings, config: ReportingConfig, airflow: AirflowHands | None
) -> dict[str, Callable[[], None]]:
    """Return what sends the notice, by the name of the way."""
    to, words = config.delivery, load_catalogue(settings.shop.language)
    reports, name = run_folder(home, notice.run_date.isoformat()) / "reports", notice.run_date.isoformat()
    ways: dict[str, Callable[[], None]] = {}
    if (folder := to.folder) is not None:
        ways["folder"] = lambda: copy_to_folder(_files(reports, folder.files), folder=home / folder.path, run=name)
    if (bucket := to.bucket) is not None:
        ways["bucket"] = lambda: copy_to_bucket(
            _files(reports, bucket.files),
            url=bucket.url,
            run=name,
            connection=_secret(bucket.connection, settings, airflow),
        )
    if (webhook := to.webhook) is not None:
        ways["webhook"] = lambda: post_message(
            chat_message(notice, style=webhook.style, words=words),
            url=_secret(webhook.connection, settings, airflow),
            timeout=to.timeout_seconds,
            key=_secret(webhook.secret, settings, airflow) if webhook.secret else "",
        )
    if to.mail is not None:
        ways["mail"] = lambda: _mail(notice, reports=reports, settings=settings, config=config, airflow=airflow)
    return ways


def _mail(
    notice: Notice, *, reports: Path, settings: Settings, config: ReportingConfig, airflow: AirflowHands | None
) -> None:
    wanted, words = config.delivery.mail, load_catalogue(settings.shop.language)
    assert wanted is not None
    files = _files(reports, wanted.attach)
    size = sum(file.stat().st_size for file in files) * BASE64
    left_out = tuple(file.name for file in files) if size > wanted.most_megabytes * MEGABYTE else ()
    mail = Mail(
        to=wanted.to,
        sender=wanted.sender or "",
        subject=mail_subject(notice, words=words),
        text=notice_text(notice, words=words, left_out=left_out),
        html=mail_html(notice, words=words, left_out=left_out),
        files=() if left_out else tuple(files),
    )
    connection = settings.connections.get(wanted.connection)
    if connection is not None and connection.airflow is not None and airflow is not None:
        airflow.mail(connection.airflow, mail)
    else:
        url = _secret(wanted.connection, settings, airflow)
        send_mail(mail, url=url, timeout=config.delivery.timeout_seconds)


def _secret(name: str, settings: Settings, airflow: AirflowHands | None) -> str:
    """Return a connection's URL or key, from the environment or from Airflow.

    Raises:
        ConfigError: nobody knows the connection. Its value is never part of a message.
    """
    connection = settings.connections.get(name)
    if connection is None:
        raise ConfigError(
            f"reporting.delivery names the connection {name!r}; connections has {sorted(settings.connections)}"
        )
    if connection.airflow is not None:
        if airflow is not None:
            return airflow.uri(connection.airflow)
        variable = f"AIRFLOW_CONN_{connection.airflow.upper()}"
    else:
        variable = str(connection.env)
    found = os.environ.get(variable)
    if not found:
        raise ConfigError(f"connection {name!r}: the environment variable {variable} is not set")
    return found


def _files(reports: Path, names: tuple[str, ...]) -> list[Path]:
    missing = [name for name in names if not (reports / name).is_file()]
    if missing:
        raise ConfigError(f"reporting.delivery: the run has no report {', '.join(missing)}")
    return [reports / name for name in names]


def _tried(send: Callable[[], None], *, way: str, attempts: int) -> str | None:
    """Send, with pauses between tries; return None when it went out, else what was in the way."""
    for attempt in range(attempts):
        if attempt:
            time.sleep(PAUSE_SECONDS * 2 ** (attempt - 1))
        try:
            send()
        except ConfigError as error:
            log.error("%s: not delivered: %s", way, error)
            return str(error)
        except Exception as error:  # another house's server: whatever it is, the night stands
            log.warning("%s: try %d of %d failed: %s", way, attempt + 1, attempts, error)
            last = f"{type(error).__name__}: {error}"
        else:
            return None
    return last


def _is_delivered(home: Path, notice: Notice, way: str) -> bool:
    path = home / "published" / LOG
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    same = {"run_date": notice.run_date.isoformat(), "content_sha256": notice.content_sha256, "way": way, "error": None}
    return any({key: entry.get(key) for key in same} == same for entry in map(_entry, lines))


def _entry(line: str) -> dict[str, Any]:
    """Return one line of the log; a line that a crash cut off says nothing."""
    try:
        found = json.loads(line)
    except ValueError:
        return {"error": "unreadable"}
    return found if isinstance(found, dict) else {"error": "unreadable"}


def _remember(home: Path, notice: Notice, *, way: str, error: str | None) -> None:
    entry = {
        "run_date": notice.run_date.isoformat(),
        "content_sha256": notice.content_sha256,
        "way": way,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "error": error,
    }
    with (home / "published" / LOG).open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry, ensure_ascii=False) + "\n")


def _headline(folder: Path, *, config: ReportingConfig) -> Headline:
    accuracy = _table(folder, "forecast_accuracy", ["segment", "horizon", "wape", "bias"])
    plan = _table(folder, "restock_plan", PLAN_COLUMNS)
    return headline(plan, accuracy, at_risk_probability=config.at_risk_probability)


def _table(folder: Path, name: str, columns: list[str]) -> pd.DataFrame:
    """Return columns of a published table with plain numbers."""
    frame: pd.DataFrame = pq.read_table(folder / "tables" / f"{name}.parquet", columns=columns).to_pandas()
    money = {c: frame[c].astype(float) for c in ("order_value", "excess_value") if c in frame}
    return frame.assign(**money)
