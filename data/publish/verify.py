"""Is a published run still what its manifest says?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data.publish.layout import CURRENT, MANIFEST, run_folder
from data.publish.manifest import FileEntry, read_manifest, sha256_of_file

__all__ = ["Finding", "folder_findings", "verify"]


@dataclass(frozen=True)
class Finding:
    """One thing that is not as the manifest says."""

    path: str
    problem: str
    expected: str = ""
    found: str = ""

    def __str__(self) -> str:
        where = f"{self.path}: {self.problem}"
        return f"{where} (expected {self.expected}, found {self.found})" if self.expected or self.found else where


def verify(home: Path, run: str | None = None) -> list[Finding]:
    """Return what is wrong with a published run; nothing where every file is as its manifest says.

    Args:
        home: the home folder.
        run: ``current`` (the default), a run date, or a folder name below ``published/.runs``.

    Raises:
        ConfigError: there is no such run.
    """
    return folder_findings(run_folder(home, run or CURRENT))


def folder_findings(folder: Path) -> list[Finding]:
    """Return what is wrong with the run in ``folder``, in the order of its files."""
    try:
        manifest = read_manifest(folder / MANIFEST)
    except (OSError, ValueError) as error:
        return [Finding(MANIFEST, f"cannot be read: {error}")]
    findings = []
    if manifest.folder != folder.name:
        findings.append(Finding(MANIFEST, "does not belong to this folder", folder.name, manifest.folder))
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_symlink() or not p.is_dir()}
    for name in sorted(set(manifest.files) | (there - {MANIFEST})):
        entry = manifest.files.get(name)
        if entry is None:
            findings.append(Finding(name, "is not in the manifest"))
        else:
            findings.extend(_file_findings(folder / name, name, entry))
    return findings


def _file_findings(path: Path, name: str, entry: FileEntry) -> list[Finding]:
    if path.is_symlink() or not path.is_file():
        return [Finding(name, "is missing")]
    try:
        size = path.stat().st_size
        if size != entry.bytes:
            return [Finding(name, "has another size", f"{entry.bytes} bytes", f"{size} bytes")]
        sha256 = sha256_of_file(path)
    except OSError as error:
        return [Finding(name, f"cannot be read: {error}")]
    return [] if sha256 == entry.sha256 else [Finding(name, "has other content", entry.sha256, sha256)]
