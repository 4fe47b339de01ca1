"""The merchandiser's loop on a home folder: lint, preview, approve, apply. Nothing is ever applied by itself."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

from data.errors import ConfigError
from data.settings import Settings, load_settings
from pricing.approval import Approval, ApprovalError, Plan, check_approval, price_file, price_plan, with_person
from pricing.book import book_digest, load_book, parse_book
from pricing.config import PricingConfig
from pricing.files_step import (
    APPROVED,
    BOOK,
    LINES,
    in_force,
    kept_lines,
    kept_weeks,
    put_in_force,
    replace,
    working_copy,
)
from pricing.findings import Finding
from pricing.lint import lint
from pricing.markdown_path import markdown_paths, markdown_text
from pricing.plan import PreviewBook, preview_plan
from pricing.proof import proof_text
from pricing.rules import RuleBook
from pricing.simulate import simulation_text
from pricing.suggest import priceable, suggest_prices

__all__ = ["apply_home", "approve_home", "lint_home", "plan_home", "preview", "proof_home", "simulate_home"]

_PLANS = "plans"
_APPLIED = "applied"
RULES_BEFORE = "rules_before.yml"


def preview(home: Path, *, everything: bool = False) -> str:
    """Return the plan of the working copy of the rule book on the last night's data, as text.

    Args:
        home: home folder.
        everything: every line on its own, held ones too.

    Raises:
        RuleBookError: the working copy has errors.
        ConfigError: there was no night yet.
    """
    settings, config = _settings(home)
    text, book = _book(home, settings)
    lines, run_date = kept_lines(home)
    before_text = in_force(home) or text
    before, _ = parse_book(before_text, currency=settings.shop.currency)
    return preview_plan(
        lines,
        PreviewBook(book, book_digest(text)),
        PreviewBook(before or book, book_digest(before_text)),
        run_date=run_date,
        config=config,
        everything=everything,
    )


def lint_home(home: Path) -> list[Finding]:
    """Return what is wrong with the working copy of the rule book, on the last night's data where there is one.

    Raises:
        ConfigError: there is no rule book.
    """
    settings = load_settings(home)
    text = working_copy(home)
    if text is None:
        raise ConfigError(f"no {home / BOOK}: `merchcast init` makes one")
    if not (home / APPROVED / LINES).is_file():
        return lint(text, currency=settings.shop.currency)
    lines, run_date = kept_lines(home)
    return lint(text, currency=settings.shop.currency, lines=lines, run_date=run_date)


def proof_home(home: Path) -> list[str]:
    """Return what is proved of the working copy for any data, a line each; nothing where it has errors."""
    settings = load_settings(home)
    book, _ = parse_book(working_copy(home) or "", currency=settings.shop.currency)
    return [] if book is None else proof_text(book)


def simulate_home(home: Path, *, weeks: int) -> str:
    """Return what the working copy would have done in the last weeks and would do in the next ones, as text.

    Below it stand the planned prices of what must go, week by week to its end of sale.

    Raises:
        RuleBookError: the working copy has errors.
        ConfigError: there was no night yet.
    """
    settings, config = _settings(home)
    text, book = _book(home, settings)
    lines, run_date = kept_lines(home)
    before, _ = parse_book(in_force(home) or text, currency=settings.shop.currency)
    seed = settings.planning.seed
    told = simulation_text(
        lines, kept_weeks(home), book, before or book, run_date=run_date, weeks=weeks, config=config, seed=seed
    )
    known = lines[priceable(lines)].reset_index(drop=True)
    paths = markdown_paths(known, book, run_date=run_date, config=config, seed=seed)
    return f"{told}\n\n{markdown_text(paths, run_date=run_date)}"


def plan_home(home: Path) -> Plan:
    """Return the plan of the working copy on the last night's data, with its digest."""
    settings, config = _settings(home)
    text, book = _book(home, settings)
    lines, run_date = kept_lines(home)
    table = suggest_prices(lines, book, run_date=run_date, config=config)
    return price_plan(table, run_date=run_date, book_digest=book_digest(text), config=config)


def approve_home(home: Path, *, by: str, digest: str | None = None) -> tuple[Plan, Approval]:
    """Approve the plan of tonight's data and working copy in the name of a person, and return both.

    Args:
        home: home folder.
        by: who approves.
        digest: first characters of the digest the person saw; another plan is refused.

    Raises:
        ApprovalError: see :func:`pricing.approval.with_person`; or the plan is another one, or applied already.
    """
    plan = plan_home(home)
    _check_digest(plan, digest)
    if _applied_folder(home, plan).exists():
        raise ApprovalError(f"plan {plan.short} is applied already: {_applied_folder(home, plan)}")
    is_new = (in_force(home) or "") != (working_copy(home) or "")
    approval = with_person(plan, _approval(home, plan), by=by, today=_today(home), is_new_book=is_new)
    path = _approval_path(home, plan)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, (approval.model_dump_json(indent=2) + "\n").encode())
    return plan, approval


def apply_home(home: Path, *, digest: str | None = None) -> tuple[Plan, Path]:
    """Write the price file of the approved plan and the file that undoes it; return the plan and their folder.

    ``applied/<run date>-<digest>/`` holds ``prices.csv`` and ``rollback.csv`` in the shape of the input table
    ``prices``, ``record.json``, and ``rules_before.yml`` where the plan's rule book is another than the one in force
    before: from now on nights follow it. The folder appears whole or not at all. The shop's own system imports the
    file.

    Raises:
        ApprovalError: see :func:`pricing.approval.check_approval`; or the plan was applied before.
    """
    plan = plan_home(home)
    _check_digest(plan, digest)
    folder = _applied_folder(home, plan)
    if folder.exists():
        raise ApprovalError(f"plan {plan.short} is applied already: {folder}")
    approval, today = _approval(home, plan), _today(home)
    check_approval(plan, approval, today=today)
    assert approval is not None
    temporary = folder.with_name(f".{folder.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for name, back in (("prices.csv", False), ("rollback.csv", True)):
        text = price_file(plan, today=today, back=back).to_csv(index=False, lineterminator="\n")
        (temporary / name).write_text(text, encoding="utf-8")
    record = {**approval.model_dump(mode="json"), "applied_date": today.isoformat(), "changes": len(plan.changes)}
    (temporary / "record.json").write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    text = working_copy(home) or ""
    if book_digest(text) != plan.book_digest:
        raise ApprovalError("pricing_rules.yml changed meanwhile: look at `merchcast prices diff` again")
    before = put_in_force(home, text)
    if before is not None:
        (temporary / RULES_BEFORE).write_text(before, encoding="utf-8")
    temporary.replace(folder)
    return plan, folder


def _settings(home: Path) -> tuple[Settings, PricingConfig]:
    settings = load_settings(home)
    return settings, PricingConfig.model_validate(settings.rooms.get("pricing", {}))


def _book(home: Path, settings: Settings) -> tuple[str, RuleBook]:
    text = working_copy(home) or ""
    return text, load_book(text, currency=settings.shop.currency, name=str(home / BOOK))


def _today(home: Path) -> date:
    """The business date that counts as today: the one that a run started now would plan for."""
    return load_settings(home).run_date(datetime.now(UTC))


def _check_digest(plan: Plan, digest: str | None) -> None:
    if digest is not None and not plan.digest.startswith(digest.lower()):
        raise ApprovalError(
            f"the plan is {plan.short} now, not {digest}: book or data changed; look at `merchcast prices diff` again"
        )


def _approval_path(home: Path, plan: Plan) -> Path:
    return home / APPROVED / _PLANS / f"{plan.digest}.json"


def _approval(home: Path, plan: Plan) -> Approval | None:
    path = _approval_path(home, plan)
    if not path.is_file():
        return None
    try:
        return Approval.model_validate_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ApprovalError(f"{path} is damaged: delete it and approve anew") from error


def _applied_folder(home: Path, plan: Plan) -> Path:
    return home / _APPLIED / f"{plan.run_date.isoformat()}-{plan.short}"
