# SPDX-License-Identifier: Apache-2.0
"""Small checkouts for tests that change them: this program, with layers that are quick to build."""

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
    """Make a checkout in *folder*, without outputs, and return it."""
    for name in ("generator", "templates"):
        shutil.copytree(ROOT / name, folder / name, ignore=_IGNORED)
    for name in (".gitignore", "Dockerfile.hivex", "requirements.lock"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "generator/layers").mkdir()
    for name, text in (LAYERS if layers is None else layers).items():
        (folder / f"generator/layers/{name}.toml").write_text(text)
    return folder


def generate(root: Path, *, force: bool = False) -> list[str]:
    """Run ``generate`` on *root*; return the printed lines."""
    said: list[str] = []
    options = pipeline.GenerateOptions(BUILDER, force)
    pipeline.generate(root, documents, options, say=said.append, note=said.append)
    return said


def check(root: Path) -> tuple[int, list[str]]:
    """Return the exit status of ``check-stale`` and the printed lines."""
    said: list[str] = []
    return pipeline.check(root, documents, say=said.append, note=said.append, environment={}), said


def outputs(root: Path, *, temporary: bool = False) -> dict[str, bytes]:
    """Return every file below output/ and docs/ by path; if *temporary*, also temporary files of killed runs."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for folder in ("output", "docs")
        for path in sorted((root / folder).rglob("*"))
        if path.is_file() and (temporary or not path.name.endswith(TEMPORARY))
    }
