# SPDX-License-Identifier: Apache-2.0
"""Check how an image is started, by the rules of generator/runtime and by the base layer that is found."""

import posixpath
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Final

from ..base.errors import shorten
from ..imageread.documents import Config
from ..imageread.untar import DIRECTORY, FILE, HARD_LINK, SYMBOLIC_LINK
from ..oci.names import fold
from ..runtime import settings, start
from ..runtime.model import Base, File, Settings
from ..runtime.programs import HEAD, Program, identify
from .base_layer import BCD
from .tree import FILES, WHITEOUT, Tree

_WINDOWS: Final = tuple(f"{FILES}/Windows/System32/{name}" for name in ("ntdll.dll", "kernel32.dll", "cmd.exe"))
_BELOW: Final = fold(f"{FILES}/")
_FIELDS: Final = {"entrypoint": "Entrypoint", "cmd": "Cmd", "env": "Env", "user": "User", "workdir": "WorkingDir"}
_ON_NODE: Final = "program-node"  # not a fault: the program may be the node's
_MOST_LOOKUPS: Final = 100_000  # of paths in layers, for one image
_MOST_NAMED: Final = 10_000  # programs of a layer in which a name is looked for
_MOST_PATH: Final = 1024  # characters; Windows starts programs by paths of 260
_MOST_VARIABLES: Final = 1 << 16  # characters of all variables


class Programs:
    """The kinds of a layer's programs, by folded path below C:; other files are not listed."""

    def __init__(self) -> None:
        self._kinds: dict[str, Program] = {}

    def add(self, path: str, kind: str, target: str, read: Callable[[int], bytes]) -> None:
        """Add an entry of the layer; *read* returns the first bytes of its data, if nothing has read them."""
        folded = fold(path)
        if not folded.startswith(_BELOW):
            return
        found = None
        if kind == FILE:
            found = identify(read(HEAD))
        elif kind == HARD_LINK:
            found = self._kinds.get(fold(posixpath.normpath(target)).removeprefix(_BELOW))
        if found is not None and found.kind != "other":
            self._kinds[folded.removeprefix(_BELOW)] = found

    def get(self, path: str) -> Program:
        """Return the kind of the file at *path*."""
        return self._kinds.get(fold(path), Program("other"))

    def named(self, name: str) -> str | None:
        """Return the folded path of a program called *name*, or None."""
        end = f"/{fold(name)}"
        if len(self._kinds) > _MOST_NAMED:
            return None
        return next((path for path in self._kinds if f"/{path}".endswith(end)), None)


class _Layered:
    """The files of an image: those of its layers, the lowest first, each None if it could not be read."""

    def __init__(self, layers: Sequence[tuple[Tree, Programs] | None]) -> None:
        self._layers = [each for each in layers if each is not None]
        self.complete = len(self._layers) == len(layers)
        self._lookups = 0

    def file(self, path: str) -> File | None:
        found = self._find(path)
        if found is None or found[0] == DIRECTORY:
            return None
        return File(path, found[1].get(path) if found[0] in {FILE, HARD_LINK} else None)

    def directory(self, path: str) -> str | None:
        found = self._find(path)
        return path if found is not None and found[0] == DIRECTORY else None

    def named(self, name: str) -> str | None:
        found = (programs.named(name) for _, programs in reversed(self._layers))
        return next((path for path in found if path is not None and self.file(path) is not None), None)

    def _find(self, path: str) -> tuple[str, Programs] | None:
        """Return the kind of the highest entry at *path*; a link on the way counts as a link there.

        A directory replaces what layers below have there, so their files and links on the way count no more.
        """
        whole = f"{FILES}/{path}".rstrip("/")
        if len(whole) > _MOST_PATH:
            return None
        replaced = 0  # the length of the longest parent that is a directory of a layer above
        for tree, programs in reversed(self._layers):
            kind = tree.kind(whole)
            at = whole.find("/")
            while kind is None and at >= 0 and (above := tree.kind(whole[:at])) is not None:
                if above != DIRECTORY and (above != SYMBOLIC_LINK or at <= replaced):
                    return None
                kind = None if above == DIRECTORY else above
                replaced = max(replaced, at)
                at = whole.find("/", at + 1)
                self._lookups += 1
            self._lookups += 1
            if self._lookups > _MOST_LOOKUPS:
                self.complete = False
                return None
            if kind is not None:
                return None if kind == WHITEOUT else (kind, programs)
        return None


def check(config: Config, layers: Sequence[tuple[Tree, Programs] | None], tell: Callable[[str, str], None]) -> None:
    """Report to *tell* what keeps the image of *config* from starting, and settings that are not read as intended."""
    asked = config.config
    if not layers:
        return
    sizes = accumulate(map(len, asked.env or ()))
    within = (each for each, size in zip(asked.env or (), sizes, strict=True) if size <= _MOST_VARIABLES)
    variables = tuple(each.partition("=")[::2] for each in within)
    words = tuple(asked.entrypoint or ()), tuple(asked.cmd or ()), variables
    texts = asked.working_dir or "", asked.user or "", config.architecture or ""
    found = Settings(*words, *texts, asked.args_escaped)
    files, base = _Layered(layers), _base(layers[0])
    for each in (*start.check(found, files, base), *(() if base == "bare" else settings.check(found, files, base))):
        if each.rule != _ON_NODE:
            tell(each.rule, f"{_FIELDS[each.option]} {shorten(each.value)}: {each.found}")


def _base(lowest: tuple[Tree, Programs] | None) -> Base:
    """Return the kind of base; one that cannot be read is taken for a Windows, of which nothing is then missing."""
    tree = lowest[0] if lowest else None
    if tree is None or any(tree.kind(path) for path in _WINDOWS):
        return "windows"
    return "bare" if tree.kind(BCD) else "hostprocess"
