"""Design elements: which products carry which, and what sources call them."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

__all__ = ["product_elements", "resolved_names"]

_COLUMNS_AS_ELEMENTS = ("ip", "character", "product_type", "colour", "material")
_SCHEMA = {"sku": pl.String, "element_type": pl.String, "element": pl.String}


def product_elements(products: pl.DataFrame) -> pl.DataFrame:
    """Return ``sku``, ``element_type``, ``element``: the elements each product is made of, without repeats.

    Elements come from the columns ``ip``, ``character``, ``product_type``, ``colour``, ``material`` and from the JSON
    object ``attributes``; a list there gives several elements. What is no JSON object gives none.

    >>> frame = pl.DataFrame({"sku": ["A"], "ip": ["Star"], "attributes": ['{"collar": "sailor", "motif": ["cat"]}']})
    >>> product_elements(frame).select("element_type", "element").rows()
    [('collar', 'sailor'), ('ip', 'Star'), ('motif', 'cat')]
    """
    rows: list[tuple[str, str, str]] = []
    for name in _COLUMNS_AS_ELEMENTS:
        if name in products.columns:
            pairs = products.select("sku", name).drop_nulls().iter_rows()
            rows.extend((sku, name, str(value)) for sku, value in pairs)
    if "attributes" in products.columns:
        for sku, text in products.select("sku", "attributes").drop_nulls().iter_rows():
            rows.extend((sku, kind, value) for kind, value in _attributes(text))
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row").unique().sort("sku", "element_type", "element")


def _attributes(text: str) -> list[tuple[str, str]]:
    try:
        parsed: Any = json.loads(text)
    except ValueError:
        return []
    if not isinstance(parsed, dict):
        return []
    pairs: list[tuple[str, str]] = []
    for kind, value in parsed.items():
        values = value if isinstance(value, list) else [value]
        pairs.extend((str(kind), str(v)) for v in values if v is not None and not isinstance(v, (dict, list, bool)))
    return pairs


def resolved_names(signals: pl.DataFrame, aliases: pl.DataFrame) -> pl.DataFrame:
    """Return ``signals`` with aliases replaced by the elements they mean; case and outer blanks do not matter.

    The name as it was sent stays as ``spoken``.

    An alias of another element type is left alone: the same word may be a character and a colour. One that names no
    type-mate in ``signals`` still moves the row to its own element.

    Args:
        signals: with ``element_type``, ``element``.
        aliases: ``alias``, ``element_type``, ``element``.
    """
    if aliases.is_empty():
        return signals.with_columns(spoken="element")
    plain = pl.col("alias").str.strip_chars().str.to_lowercase()
    lookup = aliases.select("element_type", meant="element", plain=plain).unique(
        ["element_type", "plain"], keep="first"
    )
    named = signals.with_columns(plain=pl.col("element").str.strip_chars().str.to_lowercase())
    joined = named.join(lookup, on=["element_type", "plain"], how="left", maintain_order="left")
    return joined.with_columns(element=pl.coalesce("meant", "element"), spoken="element").drop("meant", "plain")
