# SPDX-License-Identifier: Apache-2.0
"""Small checkouts for tests that change them: this program, and layers that are quick to make."""

import shutil
from pathlib import Path

from generator.base.home import TEMPORARY
from generator.builder.wire import ROOT
from generator.generation import pipeline
from generator.report.report import documents

from .support import BUILDER

ONE = """
[[files]]
path = "a/ONE"
hive = { keys = [ { path = "k", values = [ { name = "v", type = "REG_SZ", data = "before" } ] } ] }
"""
TWO = """
[[files]]
path = "b/TWO"
text = "before"
"""
LAYERS = {"one": ONE, "two": TWO, "three": TWO.replace("TWO", "THREE")}
_IGNORED = shutil.ignore_patterns("__pycache__", ".*", "layers")


def small_checkout(folder: Path, layers: dict[str, str] | None = None) -> Path:
    """Return a new checkout below *folder*, its outputs not made yet."""
    for name in ("generator", "templates"):
        shutil.copytree(ROOT / name, folder / name, ignore=_IGNORED)
    for name in (".gitignore", "Dockerfile.hivex", "requirements.lock"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "generator/layers").mkdir()
    for name, text in (LAYERS if layers is None else layers).items():
        (folder / f"generator/layers/{name}.toml").write_text(text)
    return folder


def generate(root: Path, *, force: bool = False) -> list[str]:
    """Run the pipeline on *root* ; return what it said."""
    said: list[str] = []
    pipeline.generate(root, documents, say=said.append, note=said.append, engine=BUILDER, force=force)
    return said


def check(root: Path) -> tuple[int, list[str]]:
    """Return the status of the staleness check and what it said."""
    said: list[str] = []
    return pipeline.check(root, documents, say=said.append, note=said.append, environment={}), said


def outputs(root: Path, *, temporary: bool = False) -> dict[str, bytes]:
    """Return every file below output/ and docs/ by path; if *temporary*, also what a dead run left half-written."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for folder in ("output", "docs")
        for path in sorted((root / folder).rglob("*"))
        if path.is_file() and (temporary or not path.name.endswith(TEMPORARY))
    }
