"""The committed reference is what the contracts and settings say today."""

from __future__ import annotations

import json

from data.contracts import INPUTS, INTERNALS, OUTPUTS
from data.reference import reference_pages, write_reference
from data.settings import Settings


def test_the_committed_reference_is_current(repository):
    folder = repository / "docs" / "reference"
    pages = reference_pages()
    committed = {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}
    assert sorted(committed) == sorted(pages), "run `.venv/bin/python -m data.reference`"
    stale = [name for name, text in pages.items() if committed[name] != text]
    assert stale == [], "run `.venv/bin/python -m data.reference`"


def test_writing_removes_what_no_longer_belongs(tmp_path):
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "gone.schema.json").write_text("{}")
    written = write_reference(tmp_path)
    assert not (tmp_path / "schemas" / "gone.schema.json").exists()
    assert write_reference(tmp_path) == written


def test_every_table_and_every_published_column_stands_in_its_page():
    pages = reference_pages()
    for page, tables in (("inputs.md", INPUTS), ("internal.md", INTERNALS), ("outputs.md", OUTPUTS)):
        for table in tables:
            section = pages[page].split(f"\n## {table.name}\n")[1].split("\n## ")[0]
            missing = [
                c.name for c in table.published if f"| {c.name} |" not in section and f"**{c.name}**" not in section
            ]
            assert missing == [] or table.name.startswith("stg_"), (table.name, missing)
            assert table.doc in section


def test_every_key_of_the_settings_stands_in_its_page():
    page = reference_pages()["settings.md"]
    for name, field in Settings.model_fields.items():
        assert f"| `{name}" in page, name
        for inner in getattr(field.annotation, "model_fields", {}):
            assert f"| `{name}.{inner}" in page, (name, inner)
    for key in ("sources.<name>.kind", "planning.objective.margin.annual_holding_rate", "connections.<name>.env"):
        assert f"| `{key}` |" in page


def test_schemas_are_json_and_name_every_column():
    pages = reference_pages()
    for table in (*INPUTS, *OUTPUTS):
        schema = json.loads(pages[f"schemas/{table.name}.schema.json"])
        assert list(schema["properties"]) == [c.name for c in table.published]
    assert "planning" in json.loads(pages["schemas/merchcast.yml.schema.json"])["properties"]
