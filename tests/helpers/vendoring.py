# SPDX-License-Identifier: Apache-2.0
"""Copies for tests: written, found again, and changed."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from generator.base.errors import GeneratorError
from generator.builder.wire import ROOT
from generator.languages import provenance
from generator.languages.language import ModuleOptions
from generator.vendoring import vendor, vendored

NO_CI: dict[str, str] = {}


def git(folder: Path, *arguments: str, check: bool = True) -> str:
    """Run git in *folder* as somebody; return what it says."""
    command = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments]
    return subprocess.run(command, check=check, capture_output=True, text=True).stdout


def commit(folder: Path) -> None:
    """Commit all that is in *folder*."""
    git(folder, "add", "-A")
    git(folder, "-c", "commit.gpgsign=false", "commit", "-qm", "all")


def write(
    language: str,
    name: str,
    destination: str,
    root: Path = ROOT,
    *,
    said: list[str] | None = None,
    **options: Any,
) -> None:
    """Write a copy of the layer *name* that the winscratch in *root* makes."""
    vendor.vendor(root, language, name, destination, say=(lambda _: None) if said is None else said.append, **options)


def written(language: str, name: str, destination: str, **options: str | bool | None) -> list[str]:
    """Write a copy of the layer *name* of this checkout; return the lines that vendor prints."""
    said: list[str] = []
    assert vendor.vendor(ROOT, language, name, destination, say=said.append, **options) == 0  # type: ignore[arg-type]
    return said


def refused(language: str, destination: str, name: str = "scratch", **options: str | bool | None) -> str:
    """Return the error with which vendor refuses to write a copy."""
    with pytest.raises(GeneratorError) as caught:
        written(language, name, destination, **options)
    return str(caught.value)


def listing(folder: str = ".") -> list[str]:
    """Return the names of the files in a folder, sorted."""
    return sorted(path.name for path in Path(folder).iterdir())


def states(*paths: str, notes: list[str] | None = None, **options: Any) -> dict[str, str]:
    """Return the state and detail of each copy at and below *paths*; append notes to *notes*."""
    said: list[str] = []
    note = (lambda _: None) if notes is None else notes.append
    status = vendored.check(
        ROOT, paths or (".",), as_json=True, say=said.append, note=note, environment=NO_CI, **options
    )
    (document,) = said
    copies = json.loads(document)
    assert status == any(copy["state"] != "fresh" for copy in copies)
    return {copy["path"]: copy["state"] + (f": {copy['detail']}" if copy["detail"] else "") for copy in copies}


def each(*options: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """Return sets of options to go through."""
    return options


def shown(*paths: str, environment: dict[str, str] = NO_CI, **options: Any) -> tuple[int, list[str]]:
    """Return the exit status of the check of *paths* and its text report."""
    said: list[str] = []
    status = vendored.check(ROOT, paths or (".",), as_json=False, say=said.append, environment=environment, **options)
    return status, said


def options_of(path: Path | str) -> ModuleOptions:
    """Return the options in the provenance line of an unedited copy."""
    found = provenance.read(Path(path).read_text("utf-8"))
    assert found is not None
    assert found[1], "not intact"
    return found[0].options


def reseal(path: str, old: str = "", new: str = "", **fields: object) -> None:
    """Rewrite a copy's text and what it records of itself, and seal it as if it had been made so."""
    text = Path(path).read_text("utf-8")
    assert old in text
    text = text.replace(old, new)
    held = provenance.recorded(text)
    assert held
    line = json.dumps(held | {"body": provenance.UNSEALED} | fields, separators=(",", ":"), sort_keys=True)
    text = re.sub(r"winscratch:\{.*", lambda _: "winscratch:" + line, text, count=1)
    Path(path).write_text(provenance.seal(text), "utf-8")


def run(*command: str, environment: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Run a program outside CI; return its exit status, stdout and stderr."""
    inherited = {k: v for k, v in os.environ.items() if k not in {"GITHUB_ACTIONS", "CI"}}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=inherited | (environment or {}))
    return done.returncode, done.stdout, done.stderr
