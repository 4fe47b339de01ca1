"""One self-contained HTML file: template, style, script and data in one string that asks nobody for anything.

The content policy names the two inline pieces by their hashes and forbids every other source, so text from data
cannot run even if an escape were forgotten.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reporting.catalogue import Catalogue

__all__ = ["PAGES", "Frame", "embed_json", "file_name", "render"]

HERE = Path(__file__).parent
PAGES = ("restock", "prices", "accuracy", "trends", "quality")


@dataclass(frozen=True)
class Frame:
    """What every page has around its content.

    Attributes:
        page: one of ``PAGES``.
        words: catalogue of the page's language.
        main_language: ``shop.language``, whose pages have the plain file names.
        title: heading of the page.
        subtitle: shop, run date and data date, ready to read.
        folder: where the reports lie, seen from the page; ends with a slash unless empty.
    """

    page: str
    words: Catalogue
    main_language: str
    title: str
    subtitle: str
    folder: str = ""

    @property
    def links(self) -> list[tuple[str, str, str, bool]]:
        """Key, file name, text and "is this page" of all pages in this language."""
        return [
            (
                page,
                self.folder + file_name(page, self.words.language, main_language=self.main_language),
                self.words.text(f"page.{page}"),
                page == self.page,
            )
            for page in PAGES
        ]

    @property
    def other(self) -> tuple[str, str, str]:
        """Language, file name and text of the same page in the other language."""
        language = "en" if self.words.language == "zh" else "zh"
        return (
            language,
            file_name(self.page, language, main_language=self.main_language),
            self.words.text("page.other_language"),
        )

    @property
    def index(self) -> str:
        """The index of all runs, seen from a page in ``published/<run_date>/reports/``."""
        return "../../" + file_name("index", self.words.language, main_language=self.main_language)

    @property
    def files(self) -> dict[str, str]:
        """File name by page, in this page's language."""
        return {key: name for key, name, _, _ in self.links}


def file_name(page: str, language: str, *, main_language: str) -> str:
    """Return a page's file name: plain in the shop's language, else with the language before the ending."""
    return f"{page}.html" if language == main_language else f"{page}.{language}.html"


def embed_json(value: Any) -> Markup:
    """Return JSON that is safe inside a ``<script type="application/json">``: no ``<``, ``>`` or ``&`` in it.

    Text that is no valid Unicode (a lone surrogate) is replaced, so that the file can always be written.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for bad, good in (
        ("<", "\\u003c"),
        (">", "\\u003e"),
        ("&", "\\u0026"),
        ("\u2028", "\\u2028"),
        ("\u2029", "\\u2029"),
    ):
        text = text.replace(bad, good)
    return Markup(text)  # noqa: S704 - nothing left in it can end the script element


def render(
    template: str,
    frame: Frame,
    *,
    blocks: Sequence[tuple[str, Any]] = (),
    packed: Sequence[tuple[str, str]] = (),
    scripts: Sequence[str] = ("tables.js",),
    **view: Any,
) -> str:
    """Return the whole page.

    Args:
        template: file in ``templates/``.
        frame: what stands around the content.
        blocks: (id, value) pairs embedded as JSON data blocks.
        packed: (id, base64 text) pairs that the script unpacks when it needs them.
        scripts: files in ``static/``, joined into the page's one script.
        view: what the template shows.
    """
    style, script = _asset("style.css"), "\n".join(_asset(name) for name in scripts)
    html = (
        _environment()
        .get_template(template)
        .render(
            frame=frame,
            t=frame.words.text,
            words=frame.words,
            style=Markup(style),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            csp=_content_policy(style, script),
            blocks=[(name, embed_json(value)) for name, value in blocks],
            packed=packed,
            **view,
        )
    )
    return html.encode("utf-8", "replace").decode("utf-8")


def _content_policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _asset(name: str) -> str:
    return (HERE / "static" / name).read_text(encoding="utf-8").strip()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.filters["drawing"] = _drawing
    return environment


def _drawing(svg: str) -> Markup:
    """Return a chart of ours as markup; anything that is not one stays text."""
    return Markup(svg) if svg.startswith("<svg ") else Markup.escape(svg)  # noqa: S704 - made by charts.py
