# SPDX-License-Identifier: Apache-2.0
"""Read and write ``winscratch.lock``, the lock file that lists a project's copies, so that missing ones are found.

It is TOML in UTF-8: ``format = 1``, then below ``[copies]`` one sorted line for each copy, so that branches merge line
by line: the path relative to the lock file, with slashes, and the copy's language and layer. Paths are only compared:
no file is opened because it is listed.
"""

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..base import files, toml
from ..base.console import Say
from ..base.errors import GeneratorError, brief
from ..base.reading import read_file
from .change import Change
from .gitignore import repository

NAME = "winscratch.lock"
FORMAT = 1
_DOTS = 64  # dots in a path; a limit against hostile files
_LONGEST = 4096  # characters of a path: Linux's limit
_WORD = 64  # characters of the name of a language or a layer
_HEAD = f"""# The copies of winscratch's modules in this project. Kept by: winscratch vendored --update
format = {FORMAT}

[copies]
"""


class LockEntry(NamedTuple):
    """The language and the layer of a listed copy."""

    language: str
    layer: str


def shown(folder: Path) -> Path:
    """Return the path of the lock file in *folder*, relative to the working directory if below it."""
    path, here = folder / NAME, Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def read(folder: Path) -> dict[str, LockEntry]:
    """Return the entries of the lock file in *folder* by path; none if the file does not exist.

    Raises GeneratorError, naming the lock file, the path and the fix, if the file is invalid.
    """
    path = shown(folder)
    if not os.path.lexists(path):
        return {}
    fix = "correct it, or remove the file and write it anew with --update --lock"
    document = toml.parse(read_file(path, str(path), toml.MAX_TEXT, follow=False), str(path), fix)
    if document.get("format") != FORMAT:
        found = brief(document.get("format"))
        raise GeneratorError(
            f"{path}: format: {found}, not {FORMAT}; hint: use the winscratch that wrote it, or a later one"
        )
    copies = document.get("copies", {})
    if document.keys() - {"format", "copies"} or not isinstance(copies, dict):
        raise GeneratorError(f"{path}: holds more than format and copies; hint: {fix}")
    return {name: _entry(name, held, f"{path}: copies.{brief(name)}", fix) for name, held in copies.items()}


def _entry(name: str, held: Any, where: str, fix: str) -> LockEntry:
    if not _is_plain(name):
        raise GeneratorError(f"{where}: not a path below the list's folder, with / and no . or .. in it; hint: {fix}")
    if not isinstance(held, dict) or held.keys() != set(LockEntry._fields):
        raise GeneratorError(f"{where}: not {{ language = …, layer = … }}; hint: {fix}")
    if not all(isinstance(value, str) and value.isprintable() and len(value) <= _WORD for value in held.values()):
        raise GeneratorError(f"{where}: language and layer are not plain text; hint: {fix}")
    return LockEntry(**held)


def _is_plain(path: str) -> bool:
    """Return whether *path* is relative, has no .. in it, is valid on every system, and is within the limits."""
    if len(path) > _LONGEST or path.count(".") > _DOTS:
        return False
    return path.isprintable() and "\\" not in path and ":" not in path and not {"", ".", ".."} & {*path.split("/")}


def name_of(path: Path, folder: Path) -> str:
    """Return the key of the file *path* in a lock file in *folder*; raises GeneratorError if it cannot be listed."""
    try:
        name = path.relative_to(folder).as_posix()
    except ValueError as error:
        raise GeneratorError(f"{path}: not below {folder}, so {NAME} there cannot list it") from error
    if not _is_plain(name):
        raise GeneratorError(
            f"{path}: {NAME} cannot list a name with backslashes, colons, unprintable characters or over {_DOTS} dots"
        )
    return name


def nearest(folder: Path) -> Path | None:
    """Return the first folder that holds a lock file, from *folder* upwards, or None.

    The search ends at the repository's root, outside of a repository at the working directory: folders above may
    belong to others.
    """
    above = [folder, *folder.parents]
    top = repository(folder) or Path.cwd()
    within = above[: above.index(top) + 1] if top in above else above[:1]
    return next((path for path in within if os.path.lexists(path / NAME)), None)


def change(folder: Path, add: Mapping[str, LockEntry], remove: Collection[str] = ()) -> Change:
    """Return the change of the lock file in *folder* that adds *add* and removes the paths *remove*."""
    path = shown(folder)
    old = read_file(path, str(path), toml.MAX_TEXT, follow=False).decode("utf-8") if os.path.lexists(path) else None
    entries = {name: entry for name, entry in read(folder).items() if name not in remove}
    return Change(path, old, text({**entries, **add}))


def write(folder: Path, add: Mapping[str, LockEntry], note: Say, remove: Collection[str] = ()) -> Change:
    """Write the change that change() returns to the lock file in *folder*, if needed; return the change."""
    with files.lock(folder, note):
        made = change(folder, add, remove)
        if made.needed:
            files.replace({folder / NAME: made.new.encode("utf-8")}, below=folder)
        return made


def text(entries: Mapping[str, LockEntry]) -> str:
    """Return the text of a lock file with *entries*."""
    lines = (
        f"{_quoted(path)} = {{ language = {_quoted(entry.language)}, layer = {_quoted(entry.layer)} }}\n"
        for path, entry in sorted(entries.items())
    )
    return _HEAD + "".join(lines)


def _quoted(word: str) -> str:
    return json.dumps(word, ensure_ascii=False)  # of printable text, JSON and TOML write the same string
