"""The merchandiser's loop: `merchcast prices lint | diff | simulate | approve | apply`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import DEFAULT_HOME, HomeOption
from cli.render import say
from data.errors import ConfigError

__all__ = ["prices_app"]

prices_app = typer.Typer(no_args_is_help=True, help="The merchandiser's loop.")

DigestOption = Annotated[
    str | None, typer.Option("--plan", metavar="DIGEST", help="The plan you looked at; another one is refused.")
]


@prices_app.command("lint")
def prices_lint(home: HomeOption = DEFAULT_HOME) -> None:
    """Check pricing_rules.yml; exit code 2 where it has an error."""
    from pricing.loop_step import lint_home, proof_home

    path = home / "pricing_rules.yml"
    findings = lint_home(home)
    for finding in findings:
        print(f"{path}:{finding}")
    if any(finding.severity == "error" for finding in findings):
        raise ConfigError(f"{path} has errors")
    for line in proof_home(home):
        say(line)
    say(f"{path}: no errors")


@prices_app.command("diff")
def prices_diff(
    home: HomeOption = DEFAULT_HOME,
    everything: Annotated[bool, typer.Option("--all", help="Every line on its own, held ones too.")] = False,
) -> None:
    """Show what the working copy of pricing_rules.yml would change against the book in force."""
    from pricing.loop_step import preview

    print(preview(home, everything=everything))


@prices_app.command("simulate")
def prices_simulate(
    home: HomeOption = DEFAULT_HOME,
    weeks: Annotated[int, typer.Option(min=1, max=8, help="Weeks to replay and to look ahead.")] = 4,
) -> None:
    """Replay the last weeks under the working copy, and draw the next ones, with intervals."""
    from pricing.loop_step import simulate_home

    print(simulate_home(home, weeks=weeks))


@prices_app.command("approve")
def prices_approve(
    by: Annotated[str, typer.Option("--by", help="Who approves.")],
    home: HomeOption = DEFAULT_HOME,
    plan: DigestOption = None,
) -> None:
    """Approve the plan that `prices diff` shows; large plans need two persons. Applies nothing."""
    from pricing.loop_step import approve_home

    found, approval = approve_home(home, by=by, digest=plan)
    print(f"Plan {found.short} of {found.run_date}: {len(found.changes)} prices, approved by "
          f"{' and '.join(approval.approved_by)}, good until {approval.expires_date}.")  # fmt: skip
    if len(approval.approved_by) < found.persons_needed:
        print(f"A second person must approve it: {found.reason_for_two}.")
    else:
        print(f"Hand it over with: merchcast prices apply --home {home} --plan {found.short}")


@prices_app.command("apply")
def prices_apply(home: HomeOption = DEFAULT_HOME, plan: DigestOption = None) -> None:
    """Write the price file of the approved plan, and the file that undoes it, for the shop's own system."""
    from pricing.loop_step import apply_home

    found, folder = apply_home(home, digest=plan)
    print(f"{len(found.changes)} prices -> {folder / 'prices.csv'}")
    print(f"To undo them import {folder / 'rollback.csv'}")
