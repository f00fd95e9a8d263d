# SPDX-License-Identifier: Apache-2.0
"""Run ``generate`` and ``check-stale`` on a copy of this checkout, and collect the printed lines."""

import sys
from pathlib import Path
from typing import Any

from generator.base.console import Say
from generator.base.errors import EXIT_OK, EXIT_STALE
from generator.generation import manifest, pipeline, unchanged
from generator.languages.table import committed
from generator.report import report
from generator.report.report import documents

from .support import BUILDER

FRESH = ["fresh: every output is what its inputs make"]
FIX = "to fix: ./invokew generate"
NOTHING = "fresh: nothing to do"
LAYERS = ("hostprocess", "legacy", "scratch")
FOURTH = """
[[files]]
path = "Files/Windows/System32/config/SAM"
hive = { keys = [{ path = "k", values = [{ name = "v", type = "REG_DWORD", data = 1 }] }] }
"""
PROGRAM = [sys.executable, "-B", "-m", "invoke"]


def silent(_: str) -> None:
    """Discard a line."""


def check(tree: Path, *, full: bool = False) -> list[str]:
    """Return the findings of the staleness check after checking its exit status and the line on the fix."""
    said: list[str] = []
    options = pipeline.CheckOptions(full=full)
    status = pipeline.check(tree, documents, options, say=said.append, note=silent, environment={})
    assert status == (EXIT_OK if said == FRESH else EXIT_STALE)
    if said == FRESH or all(any(f": {why}" in line for why in manifest.BY_HAND) for line in said):
        return said
    assert said[-1] == FIX
    return said[:-1]


def generate(tree: Path, note: Say = silent, **options: Any) -> list[str]:
    """Run ``generate`` on *tree* with the *options* of GenerateOptions; return the printed lines."""
    said: list[str] = []
    given = pipeline.GenerateOptions(BUILDER)._replace(**options)
    assert pipeline.generate(tree, documents, given, say=said.append, note=note) == EXIT_OK
    return said


def written(said: list[str]) -> set[str]:
    """Return the files that *said* reports as written, except the manifest."""
    return {line.removeprefix("wrote ") for line in said if line.startswith("wrote ")} - {unchanged.MANIFEST}


def snapshot(tree: Path) -> dict[str, tuple[bytes, int, int]]:
    """Return content, mtime and inode of every file of *tree*, by path."""
    return {
        path.relative_to(tree).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino)
        for path in tree.rglob("*")
        if path.is_file()
    }


def outputs(tree: Path) -> dict[str, bytes]:
    """Return the content of every file below output/, by path."""
    return {path: data for path, (data, _, _) in snapshot(tree).items() if path.startswith("output/")}


def modules(*layers: str, language: str = "", examples: bool = False) -> set[str]:
    """Return the paths of the modules of *layers*, of one *language* or all, with *examples* beside them."""
    rows = [row for row in committed(layers) if row.name in layers and language in {"", row.language}]
    return {f"output/{row.path}" for row in rows if examples or not row.path.endswith("example_test.go")}


def everything() -> set[str]:
    """Return the paths of all outputs except the manifest."""
    modules_of_all = {f"output/{row.path}" for row in committed(LAYERS)}
    return {manifest.blob_path(name) for name in LAYERS} | modules_of_all | shown_documents(*LAYERS)


def shown_documents(*layers: str) -> set[str]:
    """Return the paths of the documents about *layers*."""
    return {unchanged.REPORT, *(unchanged.MAPS if report.SHOWN in layers else ())}


def edit(path: Path, old: str, new: str) -> None:
    """Replace *old*, which must occur, by *new* in a file."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
