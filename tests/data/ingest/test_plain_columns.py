"""Text columns that are loaded without a second look: only those in which nobody would have found anything."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from drop_shop import LINES, DropShop, order_lines

from data.ingest.plain_columns import PlainColumns, means_no_null, plain_footer, plain_in_footer, plain_in_rows

SOUND = ["web", "app", None, "shop-1"]


def found(values: list[str | None], dtype: pa.DataType | None = None) -> dict[str, tuple[int, tuple[str, ...]]]:
    rows = pa.table({"a": pa.array(values, dtype or pa.string())})
    plain = PlainColumns(rows.schema)
    for at in range(0, len(values), 2):  # slices of one buffer are judged by their own bytes
        plain.add(rows.slice(at, 2))
    return plain.found()


@pytest.mark.parametrize("dtype", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_visible_ascii_is_plain_and_its_short_words_and_nulls_are_told(dtype: pa.DataType):
    assert found(SOUND, dtype) == {"a": (1, ("app", "shop-1", "web"))}


@pytest.mark.parametrize(
    "odd", [" x", "x ", "x y", "\u00e9", "\u200b", "a\x00", "\x7f", "6.93E+12", "1,5", "x" * 10_001, "\u3000"]
)
def test_one_odd_value_anywhere_takes_the_column_out(odd: str):
    assert found([*SOUND, *SOUND, odd]) == {}


def test_many_short_words_are_not_remembered_and_words_that_mean_null_are_found():
    assert found([str(n) for n in range(300)]) == {}
    assert means_no_null(("app", "web"), ("NULL", "-"))
    assert not means_no_null(("-", "web"), ("NULL", "-"))
    assert not means_no_null(("web",), ("not available",))  # longer than any word that is remembered
    assert not means_no_null(("", "web"), ())


def test_the_footer_of_a_delivery_is_not_believed(tmp_path: Path):
    rows = pa.table({"a": SOUND})
    plain = PlainColumns(rows.schema)
    plain.add(rows)
    lie = pa.table({"a": [" odd", "NULL"]}).replace_schema_metadata(plain_footer(plain))
    pq.write_table(lie, tmp_path / "a.parquet")
    assert plain_in_footer(pq.read_metadata(tmp_path / "a.parquet").metadata) == plain.found()
    assert plain_in_rows(tmp_path / "a.parquet", only_text=False) == {}


@pytest.mark.parametrize("with_people", [True, False])
def test_parquet_gives_the_same_rows_as_csv_whatever_is_odd_in_it(tmp_path: Path, with_people: bool):
    names = LINES.strip().split(",")
    rows = pd.DataFrame([r.split(",") for r in order_lines(60)], columns=names)
    rows.loc[3, "sku"], rows.loc[4, "order_id"], rows.loc[5, "sku"] = "  SKU-004 ", "NULL", "ＳＫＵ-006"
    rows.loc[6, "order_line_id"] = None
    if not with_people:
        rows = rows.drop(columns="buyer_ref")
    staged = []
    for kind in ("csv", "parquet"):
        shop = DropShop(tmp_path / kind)
        if kind == "csv":
            shop.drop("order_lines", "a.csv", rows.to_csv(index=False))
        else:
            shop.frame("order_lines", "a.parquet", rows)
        shop.run()
        columns = "order_line_id, order_id, ordered_at, sku, quantity, unit_price, buyer_ref, business_date"
        staged.append((shop.query(f"select {columns} from stg_order_lines order by 1"), *shop.accounts().values()))
    assert staged[0] == staged[1]
    assert len(staged[0][0]) == 60
