"""Who is meant by the rows of a delivery: which columns name people, and the person part that landing keeps apart.

The planning part of a delivery holds no person. Where a buyer's reference stood it holds a surrogate, ``17@3fa9c1d2``:
the 17th person of that delivery, and nothing that leads back to them. The person part, a small file beside it, says
which pseudonym (keyed hash) the 17th person has, and holds what else was said of them (name, telephone, address)
encrypted. To forget a person is to give their entry a random pseudonym and to drop the rest: the planning part, its
digest and everybody else's entry stay as they are.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from data.contracts import Table
from data.ingest.privacy import masked, pseudonym, pseudonyms, random_pseudonym, sealing_key, without_names
from data.settings import SourceSettings

__all__ = [
    "PersonBook",
    "Roles",
    "forget_in",
    "keep_people",
    "may_hold_people",
    "person_part",
    "roles_of",
    "surrogates_of",
]

_TAG_DIGITS = 8  # of the delivery's digest, in each surrogate
_NONCE_BYTES = 12  # of AES-GCM
_ROWS_AT_ONCE = 100_000  # entries of a person part
_WORDS_AT_ONCE = 1_000_000  # plain words
_SCHEMA = pa.schema([("ref", pa.string()), ("pseudonym", pa.string()), ("sealed", pa.binary())])

# Words that, in the name of a column nobody maps, promise a person. The first ones tell best who it is.
_PERSON_WORDS = (
    *("buyer", "customer", "client", "member", "user", "userid", "username", "openid", "unionid", "account"),
    *("email", "mail", "phone", "mobile", "tel", "telephone", "cellphone", "fax", "wechat", "weixin", "qq", "alipay"),
    *("recipient", "consignee", "receiver", "addressee", "contact", "name", "firstname", "lastname", "fullname"),
    *("surname", "nickname", "nick", "address", "addr", "street", "postcode", "zipcode", "zip", "postal", "idcard"),
    *("passport", "ssn", "birthday", "birthdate", "birth", "dob", "gender", "ipaddress"),
)
_PERSON_SIGNS = (
    *("买家", "客户", "顾客", "会员", "用户", "手机", "电话", "邮箱", "微信", "收货", "收件", "姓名", "昵称"),
    *("地址", "邮编", "身份证", "生日"),
)
_GOODS_WORDS = frozenset(
    ("product", "item", "goods", "sku", "style", "title", "brand", "shop", "store", "channel", "campaign", "file")
)
_BUYER_TABLES = ("order_lines", "preorders", "returns", "period_sales", "site_traffic")


@dataclass(frozen=True)
class Roles:
    """Source columns of one delivery that need care.

    ``buyer`` becomes a surrogate, ``sealed`` ones go to the person part, ``masked`` ones lose telephone numbers and
    e-mail addresses, and names where buyers wrote them. ``who`` names the person: the buyer, else the sealed column
    that tells best.
    """

    buyer: str | None
    sealed: tuple[str, ...]
    masked: tuple[str, ...]
    by_buyers: bool = False

    def clean(self, text: str) -> str:
        """Return a text of a masked column without whoever it names."""
        return without_names(masked(text)) if self.by_buyers else masked(text)

    @property
    def who(self) -> str | None:
        """The column whose value names the person."""
        return self.buyer or (self.sealed[0] if self.sealed else None)

    @property
    def people(self) -> tuple[str, ...]:
        """The columns that leave for the person part, ``who`` first."""
        return ((self.buyer,) if self.buyer else ()) + self.sealed

    def __bool__(self) -> bool:
        return bool(self.people or self.masked)


def may_hold_people(table: Table) -> bool:
    """Return whether deliveries of ``table`` are looked through for people, or for text that may name them."""
    return table.name in _BUYER_TABLES or any(c.person or c.free_text for c in table.columns)


def roles_of(table: Table, spec: SourceSettings, header: Sequence[str]) -> Roles:
    """Return which columns of a delivery name people.

    Args:
        table: the input contract.
        spec: the source's column mapping.
        header: column names of the delivery.

    Columns that the contract takes are known; of the others, in tables that buyers leave traces in, the name decides:
    ``receiver_phone`` and ``收货地址`` are sealed, ``product_name`` is not.
    """
    taken = {spec.columns.get(c.name, c.name): c for c in table.columns}
    buyer = next((h for h in header if h in taken and taken[h].person), None)
    free = [h for h in header if h in taken and taken[h].free_text]
    if table.name not in _BUYER_TABLES:
        return Roles(buyer, (), tuple(free))
    others = [h for h in header if h and h not in taken]
    ranked = sorted((rank, n, h) for n, h in enumerate(others) if (rank := _person_rank(h)) is not None)
    sealed = tuple(h for _, _, h in ranked)
    return Roles(buyer, sealed, (*free, *(h for h in others if h not in sealed)), by_buyers=True)


def _person_rank(name: str) -> int | None:
    """Return how well a column of this name tells who is meant (0: best), None where it names nobody."""
    parted = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    words = re.findall(r"[a-z]+", parted.lower())
    joined = "".join(words)
    hits = [i for i, w in enumerate(_PERSON_WORDS) if w in words or w == joined or _is_id_of(w, joined)]
    if hits and not _GOODS_WORDS & set(words):
        return min(hits)
    signs = [i for i, sign in enumerate(_PERSON_SIGNS) if sign in name]
    return min(signs) if signs else None


def _is_id_of(word: str, joined: str) -> bool:
    return joined in (f"{word}id", f"{word}no", f"{word}number", f"{word}name")


@dataclass
class PersonBook:
    """Collects the people of one delivery while it is split. ``tag`` is the delivery's digest.

    Where all of them are known by one plain word each, ``words`` has them in their order instead of ``numbers``.
    """

    tag: str
    names: tuple[str, ...]
    numbers: dict[tuple[str, ...] | str, int] = field(default_factory=dict)
    words: pa.Array | None = None

    def ref(self, values: tuple[str, ...]) -> str:
        """Return the surrogate of the person with these values: who, then the sealed ones; blank where nobody is."""
        number = self.number(values)
        return "" if number is None else self._surrogate(number)

    def number(self, values: tuple[str, ...]) -> int | None:
        """Return the number of the person with these values, None where nobody is."""
        if not any(values):
            return None
        key = values if len(values) > 1 else values[0]  # of millions of buyers each is kept as one string
        return self.numbers.setdefault(key, len(self.numbers) + 1)

    def numbered(self, words: pa.Array) -> pa.Array:
        """Take distinct plain words as all the people there are; return their surrogates."""
        self.words = words
        return self._surrogates(0, len(words))

    def _surrogates(self, start: int, stop: int) -> pa.Array:
        numbers = pa.array(range(start + 1, stop + 1), pa.int64()).cast(pa.string())
        return pc.binary_join_element_wise(numbers, self.surrogate_end, "")

    @property
    def surrogate_end(self) -> str:
        """What stands behind the number in each surrogate."""
        return f"@{self.tag[:_TAG_DIGITS]}"

    def _surrogate(self, number: int) -> str:
        return f"{number}{self.surrogate_end}"

    def write(self, path: Path, key: bytes) -> None:
        """Write the person part, durably; nothing where nobody is."""
        if self.numbers or self.words is not None:
            _write(path, self._rows(key))

    def _rows(self, key: bytes) -> Iterator[pa.Table]:
        """Yield the entries, some at a time: all at once would take as much memory as the delivery."""
        words = self.words if self.words is not None else ()
        for start in range(0, len(words), _WORDS_AT_ONCE):
            some = words[start : start + _WORDS_AT_ONCE]
            refs = self._surrogates(start, start + len(some))
            yield pa.table([refs, pseudonyms(some, key), pa.nulls(len(some), pa.binary())], schema=_SCHEMA)
        entries = iter(self.numbers.items() if self.words is None else ())
        while some := list(islice(entries, _ROWS_AT_ONCE)):
            yield self._entries(some, key)

    def _entries(self, some: Sequence[tuple[tuple[str, ...] | str, int]], key: bytes) -> pa.Table:
        cipher = AESGCM(sealing_key(key))
        refs = [self._surrogate(number) for _, number in some]
        who = [pseudonym(v if isinstance(v, str) else next(filter(None, v)), key) for v, _ in some]
        sealed = [None if isinstance(v, str) else _sealed(cipher, self.names, v) for v, _ in some]
        return pa.table([refs, who, sealed], schema=_SCHEMA)


def _sealed(cipher: AESGCM, names: Sequence[str], values: tuple[str, ...]) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    said = {n: v for n, v in zip(names[1:], values[1:], strict=True) if v}
    return nonce + cipher.encrypt(nonce, json.dumps(said, ensure_ascii=False).encode(), None)


def person_part(folder: Path, sha256: str) -> Path:
    """Return where the person part of the planning part with this digest lies, below landing."""
    return folder / "people" / sha256[:2] / f"{sha256}.parquet"


def keep_people(folder: Path, sha256: str, written: Path) -> None:
    """Give a person part its place, once: a part that is there may have forgotten people, and stays."""
    path = person_part(folder, sha256)
    if written.exists() and not path.exists():
        for above in (path.parent.parent, path.parent):
            above.mkdir(mode=0o700, parents=True, exist_ok=True)
        written.replace(path)


def surrogates_of(folder: Path, digests: Iterable[str]) -> pa.Table:
    """Return ``ref`` and ``pseudonym`` of everybody in the deliveries with these planning parts."""
    parts = [path for d in dict.fromkeys(digests) if (path := person_part(folder, d)).is_file()]
    tables = [pq.read_table(p, columns=["ref", "pseudonym"]) for p in parts]
    return pa.concat_tables(tables) if tables else _SCHEMA.empty_table().select(["ref", "pseudonym"])


def forget_in(folder: Path, who: str, stranger: str | None = None) -> tuple[str, list[str]]:
    """Make everybody with the pseudonym ``who`` a stranger in all person parts.

    Returns:
        The random pseudonym that takes the place, and the digests of the planning parts that named them.
    """
    stranger = stranger or random_pseudonym()
    found = []
    for path in sorted((folder / "people").glob("*/*.parquet")):
        rows = pq.read_table(path).to_pylist()
        if not any(r["pseudonym"] == who for r in rows):
            continue
        kept = [{**r, "pseudonym": stranger, "sealed": None} if r["pseudonym"] == who else r for r in rows]
        _replace(path, [pa.Table.from_pylist(kept, schema=_SCHEMA)])
        found.append(path.stem)
    return stranger, found


def _replace(path: Path, tables: Iterable[pa.Table]) -> None:
    """Write a person part under a temporary name, then give it its own."""
    fresh = path.with_suffix(".new")
    _write(fresh, tables)
    fresh.replace(path)


def _write(path: Path, tables: Iterable[pa.Table]) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        with pq.ParquetWriter(file, _SCHEMA, use_dictionary=False, write_statistics=False) as writer:
            for table in tables:
                writer.write_table(table)
        file.flush()
        os.fsync(file.fileno())
