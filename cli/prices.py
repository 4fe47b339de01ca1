"""The merchandiser's loop: `merchcast prices lint | diff`."""

from __future__ import annotations

import typer

from cli.options import DEFAULT_HOME, HomeOption
from cli.render import say
from data.errors import ConfigError

__all__ = ["prices_app"]

prices_app = typer.Typer(no_args_is_help=True, help="The merchandiser's loop.")


@prices_app.command("lint")
def prices_lint(home: HomeOption = DEFAULT_HOME) -> None:
    """Check pricing_rules.yml; exit code 2 where it has an error."""
    from pricing.step import lint_home

    path = home / "pricing_rules.yml"
    findings = lint_home(home)
    for finding in findings:
        print(f"{path}:{finding}")
    if any(finding.severity == "error" for finding in findings):
        raise ConfigError(f"{path} has errors")
    say(f"{path}: no errors")


@prices_app.command("diff")
def prices_diff(home: HomeOption = DEFAULT_HOME) -> None:
    """Show what the working copy of pricing_rules.yml would change against the book in force."""
    from pricing.step import preview

    print(preview(home))
