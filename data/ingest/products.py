"""Codes that are booked like products and are none: postage, fees, adjustments, gift vouchers."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from functools import cache

__all__ = ["COMMON_NON_PRODUCTS", "is_non_product", "non_products"]

COMMON_NON_PRODUCTS: dict[str, str] = {
    "POST": "postage",
    "POSTAGE": "postage",
    "DOT": "postage of an order platform",
    "C2": "carriage",
    "CARRIAGE": "carriage",
    "SHIPPING*": "shipping",
    "FREIGHT*": "freight",
    "DELIVERY*": "delivery charge",
    "M": "manual booking",
    "MANUAL": "manual booking",
    "D": "discount",
    "DISCOUNT*": "discount",
    "COUPON*": "coupon",
    "S": "samples",
    "SAMPLE*": "samples",
    "B": "bad debt adjustment",
    "ADJUST*": "adjustment",
    "BANK CHARGES": "bank charges",
    "AMAZONFEE": "marketplace fee",
    "*_FEE": "fee",
    "FEE": "fee",
    "CRUK": "commission paid to a charity",
    "DONATION*": "donation",
    "PADS": "packing material",
    "GIFT_*": "gift voucher",
    "GIFTCARD*": "gift card",
    "VOUCHER*": "voucher",
    "TEST": "test booking",
    "TEST[0-9]*": "test booking",
    "TEST[-_]*": "test booking",
    "运费": "freight",
    "邮费": "postage",
    "补差价*": "price difference",
}
"""Globs, compared without regard to case, and what each stands for."""


def is_non_product(sku: str, globs: Iterable[str] = ()) -> bool:
    """Return whether a code is no product, by the common globs and the source's own.

    >>> is_non_product("gift_0001_20"), is_non_product("85123A"), is_non_product("X-1", ["X-*"])
    (True, False, True)
    """
    return bool(_pattern((*COMMON_NON_PRODUCTS, *globs)).fullmatch(sku.casefold()))


def non_products(skus: Iterable[str], globs: Iterable[str] = ()) -> list[str]:
    """Return the codes among ``skus`` that are no products, in their order."""
    pattern = _pattern((*COMMON_NON_PRODUCTS, *globs))
    return [sku for sku in skus if pattern.fullmatch(sku.casefold())]


@cache
def _pattern(globs: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{fnmatch.translate(g.casefold())})" for g in globs))
