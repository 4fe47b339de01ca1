"""Codes that are booked like products and are none: postage, fees, adjustments, gift vouchers."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from functools import cache

__all__ = ["COMMON_NON_PRODUCTS", "non_products"]

_MOST_LETTERS = 0.25  # of all codes; above it one letter is an ordinary SKU here

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


def non_products(skus: Sequence[str], globs: Iterable[str] = ()) -> list[str]:
    """Return the codes among ``skus`` that are no products, in their order.

    Codes of one letter (``M``, ``D``, ``S``) are common bookings, but only among codes that are longer: a shop whose
    SKUs are letters means them.

    Args:
        skus: all codes of the shop.
        globs: what the shop's settings add to the common codes.

    >>> non_products(["gift_0001_20", "85123A", "M", "X-1"], ["X-*"]), non_products(["A", "M"])
    (['gift_0001_20', 'M', 'X-1'], [])
    """
    letters = sum(len(sku) == 1 for sku in skus)
    common = [g for g in COMMON_NON_PRODUCTS if len(g) > 1 or letters <= _MOST_LETTERS * len(skus)]
    pattern = _pattern((*common, *globs))
    return [sku for sku in skus if pattern.fullmatch(sku.casefold())]


@cache
def _pattern(globs: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{fnmatch.translate(g.casefold())})" for g in globs))
