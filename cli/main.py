"""The command line of merchcast: data goes to stdout, messages to stderr.

Exit codes: 0 done, 1 source, orchestration or disk error, 2 wrong usage or configuration, 3 a data or model check
stopped the run.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from cli.landing import forget, rebuild, replay_app
from cli.options import DEFAULT_HOME, DateOption, HomeOption, JsonOption
from cli.overrides import overrides_app
from cli.prices import prices_app
from cli.render import closing_line, fail, print_json, print_rows, print_table, print_text, say
from cli.shown import SHOWN, for_people, of_sku, similar
from data.errors import ConfigError, MerchcastError, SourceError
from data.settings import Settings, load_settings

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Sales in, restock plan out, every number with its reason."
)
app.add_typer(prices_app, name="prices")
app.add_typer(overrides_app, name="overrides")
app.add_typer(replay_app, name="replay")


def main() -> None:
    """Run the command line and end the process with its exit code.

    The process ends at once: threads of native libraries can abort Python's own shutdown, after everything is written.
    """
    code = _exit_code()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _exit_code() -> int:
    """Run the command line; every error of ours becomes its exit code and one message."""
    try:
        app()
    except MerchcastError as error:
        fail(str(error))
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    except Exception:
        traceback.print_exc()
        return 1
    return 0


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Folder to make.")],
    demo: Annotated[bool, typer.Option("--demo", help="Fill it with the demo shop.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the demo shop.")] = 2026,
) -> None:
    """Make a home folder."""
    from cli.home import make_home

    make_home(folder, demo=demo, seed=seed)
    first = "" if demo else f"Say in {folder / 'merchcast.yml'} where its sales are, put them there, then r"
    say(f"{folder} is ready. {first or 'R'}un it with: merchcast run --home {folder}")


@app.command()
def run(
    home: HomeOption = DEFAULT_HOME,
    run_date: DateOption = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="STEP", help="Just these steps; publishes nothing.")
    ] = None,
    restate: Annotated[
        bool, typer.Option("--restate", help="Take in what arrived after D was first published.")
    ] = False,
) -> None:
    """Run the night for one business date, in this process."""
    from cli.rooms import check_room_settings
    from cli.run_lock import run_lock

    settings = load_settings(home)
    check_room_settings(settings)
    day = _run_date(settings, run_date)
    settings.calendar(day)
    _check_steps(only or [])
    with run_lock(home, day), _stdout_to_stderr():
        from cli.dag_run import run_nightly

        say(f"merchcast run for {day}, home {home.resolve()}")
        run_nightly(home, day, only=only or [], restate=restate)
    print(f"Done. Steps {', '.join(only)} for {day}; nothing was published." if only else _closing(home, settings, day))


@app.command()
def show(
    what: Annotated[str, typer.Argument(help=", ".join(SHOWN))],
    sku: Annotated[str | None, typer.Argument(help="Only this SKU.")] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
    limit: Annotated[int, typer.Option(help="Most rows printed for people.")] = 40,
) -> None:
    """Print a table of the current run."""
    from data.publish.published import read_published

    if what not in SHOWN:
        raise ConfigError(f"show what? {what!r} is none of {', '.join(SHOWN)}")
    shown = SHOWN[what]
    rows = read_published(home, shown.table)
    if sku is not None:
        rows = of_sku(rows, sku, what=what, table=shown.table)
    if as_json:
        print_json(rows)
        return
    more = "" if len(rows) <= limit else "; more with --limit N, all with --json"
    title = f"{shown.table}: {min(limit, len(rows))} of {len(rows)} rows{more}"
    print_table(for_people(rows, shown).head(limit), list(shown.columns), title=title)


@app.command()
def explain(
    sku: Annotated[str, typer.Argument(help="SKU.")],
    home: HomeOption = DEFAULT_HOME,
    location: Annotated[str | None, typer.Option("--location", help="Only this location.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Tell one SKU's forecast, order and price in words and numbers."""
    from data.publish.published import read_published
    from reporting.explanation import EXPLAINED, explained_rows, explanation

    tables = {name: read_published(home, name) for name in EXPLAINED}
    rows = explained_rows(sku, location, tables=tables)
    if rows is None:
        raise ConfigError(_unknown(sku, location, pd.concat([tables["restock_plan"], tables["not_replenished"]])))
    if as_json:
        print_rows(rows)
    else:
        print_text(explanation(sku, location, tables=tables, language=load_settings(home).shop.language) or "")


@app.command()
def backtest(
    home: HomeOption = DEFAULT_HOME,
    run_date: DateOption = None,
    cutoffs: Annotated[int, typer.Option(min=1, max=26, help="Rolling origins.")] = 3,
    as_json: JsonOption = False,
) -> None:
    """Measure the forecasts on rolling origins, each with what was known then."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from forecasting.review_step import backtest as rolling_origins

    settings = load_settings(home)
    rows = rolling_origins(home, _run_date(settings, run_date), cutoffs=cutoffs).to_pandas()
    if as_json:
        print_json(rows)
    else:
        print_table(rows, list(rows.columns), title="forecast accuracy by segment and horizon")


@app.command()
def verify(
    published_run: Annotated[
        str, typer.Argument(metavar="RUN", help="Run date, or a folder name below published/.runs.")
    ] = "current",
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Check a published run against its manifest."""
    from data.publish.verify import verify as findings_of

    findings = findings_of(home, published_run)
    for finding in findings:
        print(finding)
    if findings:
        raise SourceError(f"run {published_run}: {len(findings)} findings")
    say(f"run {published_run}: every file is as its manifest says")


@app.command()
def serve(
    home: HomeOption = DEFAULT_HOME,
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8765,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    token: Annotated[
        str | None, typer.Option(envvar="MERCHCAST_TOKEN", help="Guards it; made up where --host is not loopback.")
    ] = None,
) -> None:
    """Serve published/ until interrupted: on loopback, or with a token on another address."""
    from cli.web import serve_folder

    serve_folder(home / "published", port=port, host=host, token=token)


@app.command()
def schema(table: Annotated[str, typer.Argument(help="A table, config or pricing.")]) -> None:
    """Print the JSON Schema of a table, of merchcast.yml or of the pricing rules."""
    from cli.schemas import schema_text

    print(schema_text(table))


@app.command()
def doctor(home: HomeOption = DEFAULT_HOME) -> None:
    """Say whether everything is here that a run needs."""
    from cli.doctor import findings as findings_of

    failed = False
    for name, is_fine, text in findings_of(home):
        print(f"{'ok  ' if is_fine else 'FAIL'}  {name}: {text}")
        failed = failed or not is_fine
    if failed:
        raise ConfigError("something that a run needs is missing, see above")


@app.command(hidden=True)
def airflow(home: HomeOption = DEFAULT_HOME, port: Annotated[int, typer.Option(min=1, max=65535)] = 8080) -> None:
    """Serve the embedded Airflow, scheduler and web page, on loopback."""
    from cli.airflow_home import serve as serve_airflow

    load_settings(home)
    sys.exit(serve_airflow(home, port=port))


def _run_date(settings: Settings, asked: str | None) -> date:
    if asked is not None:
        try:
            return date.fromisoformat(asked)
        except ValueError as error:
            raise ConfigError(f"--date {asked!r} is no date; write YYYY-MM-DD") from error
    return settings.run_date(datetime.now(UTC))


def _check_steps(only: list[str]) -> None:
    known = ["ingest", "demand", "trends", "forecast", "preorder", "restock", "exposure", "price", "report", "publish"]
    unknown = [step for step in only if step not in known]
    if unknown:
        raise ConfigError(f"--only {unknown[0]!r}: expected one of {', '.join(known)}")


def _unknown(sku: str, location: str | None, known: pd.DataFrame) -> str:
    """Return why a SKU cannot be explained: its location, or the SKU itself, is not among what the run knows."""
    places = sorted(known.loc[known["sku"] == sku, "location_id"].unique())
    if places:
        return f"SKU {sku!r} is not planned for location {location!r}; it is for {', '.join(places)}"
    return (
        f"SKU {sku!r} is neither planned nor listed as not replenished in the current run{similar(sku, known['sku'])}"
    )


def _closing(home: Path, settings: Settings, day: date) -> str:
    from data.publish.published import read_published, run_folder

    name = day.isoformat()
    link = "current" if run_folder(home, "current") == run_folder(home, name) else name
    return closing_line(
        day,
        checks=read_published(home, "checks", run=name),
        plan=read_published(home, "restock_plan", run=name),
        currency=settings.shop.currency,
        report=str(home / "published" / link / "reports" / "restock.html"),
    )


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Send whatever libraries print to stderr, at the level of file descriptors; stdout is for data."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


app.command()(rebuild)
app.command()(forget)

if __name__ == "__main__":
    main()
