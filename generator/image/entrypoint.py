# SPDX-License-Identifier: Apache-2.0
"""Apply the rules of generator/runtime to a new image: make its paths valid on every node, and print warnings."""

import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from ..base.console import Say
from ..base.errors import shorten
from ..imageread.references import Platform
from ..oci.names import fold
from ..runtime import paths, settings, start
from ..runtime.model import Base as Kind
from ..runtime.model import File, Settings
from ..runtime.paths import mounted
from ..runtime.programs import HEAD, Program, identify
from . import config, inherit
from .base import Base
from .options import Options
from .sources import SourceEntry

WITHOUT_WINDOWS = ("scratch", "legacy")
_WITH_WINDOWS = "give --base an image with Windows, or one for HostProcess"
_ON_NODE = "program-node"  # the rule for programs of the node; no warning, since they may be intended


class Planned:
    """The files of an image whose layers are not written yet, for lookups by the rules of generator/runtime."""

    def __init__(self, entries: Sequence[SourceEntry], *, complete: bool = True) -> None:
        """Keep the *entries* of all new layers; *complete* if no layer below has other files."""
        self.complete = complete
        self._entries = entries

    @functools.cached_property
    def _files(self) -> dict[str, SourceEntry]:
        directories = {"directory", "directory-link"}
        return {fold(entry.path): entry for entry in self._entries if entry.kind not in directories}

    @functools.cached_property
    def _directories(self) -> dict[str, str]:
        found = {"": ""}
        for entry in self._entries:
            path = entry.path if entry.kind == "directory" else entry.path.rpartition("/")[0]
            while path and (folded := fold(path)) not in found:
                found[folded] = path
                path = path.rpartition("/")[0]
        return found

    def file(self, path: str) -> File | None:
        """Return the file at *path*; only its first bytes are read."""
        entry = self._files.get(fold(path))
        return File(entry.path, _program(entry)) if entry else None

    def directory(self, path: str) -> str | None:
        """Return the path of the directory at *path* as stored, or None; the root exists if the image has any file."""
        return self._directories.get(fold(path)) if self._files else None

    def named(self, name: str) -> str | None:
        """Return the path of a file called *name* in any directory, or None."""
        folded = f"/{fold(name)}"
        return next((entry.path for key, entry in self._files.items() if f"/{key}".endswith(folded)), None)


def _program(entry: SourceEntry) -> Program | None:
    """Return the kind of program in a file; None for a link, and for an unreadable file, which is reported later."""
    if entry.kind != "file":
        return None
    try:
        opened = entry.open()
        try:
            found = identify(os.read(opened, HEAD))
            return found if entry.matches(opened) else None
        finally:
            os.close(opened)
    except OSError:
        return None


class _Start(NamedTuple):
    """What decides how an image starts: its *platform*, and its base's *kind* and ``config`` object, *base*."""

    platform: Platform
    kind: Kind
    base: Mapping[str, Any]

    def settings(self, options: Options) -> Settings:
        """Return the settings of an image with *options*, inherited ones included."""
        found = inherit.settings(self.base, config.running(options))
        variables = (each.partition("=") for each in found.get("Env") or ())
        return Settings(
            tuple(found.get("Entrypoint") or ()),
            tuple(found.get("Cmd") or ()),
            tuple((name, value) for name, _, value in variables),
            found.get("WorkingDir") or "",
            found.get("User") or "",
            self.platform.architecture,
            bool(found.get("ArgsEscaped")),
        )


def settle(
    options: Options, platform: Platform, entries: Sequence[SourceEntry], note: Say, base: Base | None = None
) -> Options:
    r"""Return *options* with the program and working directory spelled so that every node finds them; print warnings.

    On HostProcess, the path of a program in the image becomes ``%CONTAINER_SANDBOX_MOUNT_POINT%\app\run.exe``, unless
    every node finds it as given. Settings inherited from the image *base* cause no warnings.
    """
    files = Planned(entries, complete=base is None)
    start_of_image = _Start(platform, "bare" if options.layer in WITHOUT_WINDOWS else "hostprocess", {})
    if base is not None:
        start_of_image = _Start(platform, base.kind, base.config.get("config") or {})
    kind = start_of_image.kind
    if kind == "hostprocess":
        options = _stored_workdir(options, files, note)
        options = _stored_program(options, start_of_image, files, note)
    asked = start_of_image.settings(options)
    problems = [*start.check(asked, files, kind)]
    problems += settings.check(asked, files, kind) if kind != "bare" else ()
    for each in problems:
        if not getattr(options, each.option) or (each.option == "env" and each.value not in options.env):
            continue  # inherited from the base
        text = _WITH_WINDOWS if base is not None and each.rule == "no-windows" else each.hint
        hint = f"; hint: {text}" if text else ""
        start_of = "" if each.rule == _ON_NODE else "warning: "
        note(f"{start_of}--{each.option} {shorten(each.value)}: {each.found}{hint}")
    if len(options.shell) == 1 and start.is_json_array(options.shell[0]):
        note(f"warning: --shell {shorten(options.shell[0])}: {start.JSON_ARRAY}; hint: --shell once for each word")
    return options


def _stored_workdir(options: Options, files: Planned, note: Say) -> Options:
    path = paths.parse(options.workdir)
    in_image = options.workdir and path.anchor in {"drive", "bound", "relative", "cmd"}
    if not in_image or (inside := files.directory(path.inside)) is None:
        return options
    stored = mounted(inside)
    note(f"--workdir {options.workdir}: stored as {stored}; a path without it is the node's directory")
    return msgspec.structs.replace(options, workdir=stored)


def _stored_program(options: Options, started: _Start, files: Planned, note: Say) -> Options:
    key = "entrypoint" if options.entrypoint else "cmd"
    words: tuple[str, ...] = getattr(options, key)
    asked = started.settings(options)
    if not words or asked.option != key or all(start.search(asked, files).values()):
        return options
    file = start.meant(words[0], asked.workdir, files)
    if file is None or file.path.lower().endswith(".ps1"):
        return options
    stored = mounted(file.path)
    note(f"--{key} {words[0]}: stored as {stored}; not every node finds the other spelling")
    return msgspec.structs.replace(options, **{key: (stored, *words[1:])})
