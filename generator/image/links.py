# SPDX-License-Identifier: Apache-2.0
"""Set the kind of symlinks: Windows stores a link to a directory differently from a link to a file.

The kind depends on the paths of the whole image, its base layer included, and not on files of the building machine.
"""

import itertools
import operator
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from ..base.console import Say
from ..base.errors import GeneratorError, brief_path, shorten
from ..imageread.untar import DIRECTORY, SYMBOLIC_LINK, ByteStream, TarError, TarReader
from ..oci.files import facts
from ..oci.names import fold
from .model import LayerOptions
from .sources import SourceEntry, place

_TARGET = operator.attrgetter("target")
_MOST_LINKS = 63  # links followed to reach one file: Microsoft, "Reparse Points"


def link_kinds(
    layers: Sequence[Sequence[SourceEntry]], options: LayerOptions, note: Say
) -> Sequence[Sequence[SourceEntry]]:
    """Return *layers* with the kind of each link set; *options* has the layers below, and the kinds set by the user.

    A link is a directory link if its target is a directory of the image; links on the way are followed. If the target
    is not in the image, the link becomes a file link, and *note* reports it. Layers below are read only if a target is
    not in *layers*. Raises GeneratorError if a path on the way differs between layers, if a missing target is in the
    folder ``Files``, which layers have but containers do not, and if the user sets a kind for a path without a link.
    """
    given = _given(layers, options.link)
    if not any(map(_TARGET, itertools.chain(*layers))):
        return layers
    paths = _Paths(itertools.chain(*layers), given)
    linked = paths.all_linked(layers)
    if paths.unknown and options.below:
        paths = _Paths(itertools.chain(*map(_entries_below, options.below), *layers), given)
        linked = paths.all_linked(layers)
    paths.check_files()
    if unknown := paths.unknown:
        others = len(unknown) - 1
        more = f", and {others:,} more link{'s' * (others != 1)}" if others else ""
        target = brief_path(unknown[0].target)
        where = "not in the image" if options.complete else "not in the layers made here"
        if_directory = "it leads to a directory" if options.complete else "it is one in the base"
        hint = f"; hint: --link PATH=directory if {if_directory}"
        note(f"{unknown[0].source}: {target} is {where}, so the link becomes one to a file{more}{hint}")
    return linked


def _given(layers: Sequence[Sequence[SourceEntry]], kinds: Mapping[str, str]) -> dict[str, str]:
    """Return the kinds set by the user, by folded path; raises GeneratorError if there is no link at a path."""
    if not kinds:
        return {}
    given = {fold(place(path, "--link")): kind for path, kind in kinds.items()}
    links = {fold(entry.path) for layer in layers for entry in layer if entry.kind == "file-link"}
    if lost := next((path for path in kinds if fold(place(path, "--link")) not in links), None):
        raise GeneratorError(f"--link {shorten(lost)}: no source has a link there; hint: give its path in the image")
    return given


class _Paths:
    """The paths of an image with the given *entries*; *unknown* holds the links whose targets it lacks.

    *given* has the kinds of some links, ``file`` or ``directory``, by folded path.
    """

    def __init__(self, entries: Iterable[SourceEntry], given: Mapping[str, str]) -> None:
        self._given = given
        self._found: dict[str, tuple[bool, str]] = {}  # by folded path: is it a directory, and the target of a link
        self._differing: set[str] = set()  # folded paths whose kind or link target differs between layers
        self.unknown: list[SourceEntry] = []
        for entry in entries:
            key, value = fold(entry.path), (entry.kind == "directory", entry.target)
            if self._found.setdefault(key, value) != value:
                self._differing.add(key)

    def all_linked(self, layers: Sequence[Sequence[SourceEntry]]) -> list[list[SourceEntry]]:
        """Return *layers* with the kind of each link set."""
        return [[self.linked(entry) if entry.target else entry for entry in layer] for layer in layers]

    def check_files(self) -> None:
        """Raise GeneratorError for an unknown target in ``Files``, the folder of a layer that has C:'s content."""
        files = facts().users_root
        for entry in self.unknown:
            if f"{entry.target}/".replace("\\", "/").startswith(f"{files}/"):
                raise GeneratorError(
                    f"{entry.source}: the link's target {brief_path(entry.target)} is not in the image; "
                    f"hint: begin the target with C:\\, since {files} is a folder of layers, not of containers"
                )

    def linked(self, entry: SourceEntry) -> SourceEntry:
        """Return a link with its kind set; add it to *unknown* if its target is not in the image."""
        if kind := self._given.get(fold(entry.path)):
            return entry._replace(kind="directory-link") if kind == "directory" else entry
        leads = self._leads_to_directory(entry)
        if leads is None:
            self.unknown.append(entry)
        return entry._replace(kind="directory-link") if leads else entry

    def _leads_to_directory(self, entry: SourceEntry) -> bool | None:
        """Return whether a link leads to a directory, or None if its target is not in the image."""
        way = _meant(fold(entry.path).split("/")[:-1], fold(entry.target))
        for _ in range(_MOST_LINKS):
            if not way:
                return None if way is None else True  # C: itself
            whole = not self._differing and "/".join(way) in self._found
            for end in (len(way),) if whole else range(1, len(way) + 1):
                path = "/".join(way[:end])
                if path in self._differing:
                    raise GeneratorError(
                        f"{entry.source}: C:/{path}, on the way to the link's target, is not the same in all layers; "
                        "hint: give one of the sources another DEST"
                    )
                is_directory, target = self._found.get(path, (False, ""))
                if target:
                    here = _meant(way[: end - 1], fold(target))
                    way = None if here is None else here + way[end:]
                    break
                if not is_directory:
                    return False if end == len(way) and path in self._found else None
            else:
                return True
        return None


def _meant(folder: list[str], target: str) -> list[str] | None:
    r"""Return the parts of the path below C: to which a link in *folder* with *target* leads; None if not below C:.

    A target that starts with ``C:`` or ``\\?\C:`` is absolute, with one slash it starts at the root of C:, and with two
    it names another computer or a device: github.com/microsoft/go-winio reparse.go. Windows resolves ``..`` in the
    text, before it follows links.
    """
    text = target.replace("\\", "/")
    if text.startswith("//?/"):
        text = text[4:]
        if text[1:2] != ":":
            return None
    if text.startswith("//") or (text[1:2] == ":" and text[0] != "C"):
        return None
    is_absolute = text.startswith("/") or text[1:2] == ":"
    way = [] if is_absolute else folder.copy()
    for part in text.removeprefix("C:").split("/"):
        if part == "..":
            if not way:
                return None
            way.pop()
        elif part not in {"", "."}:
            way.append(part)
    return way


def _entries_below(opened: Callable[[], ByteStream]) -> Iterator[SourceEntry]:
    """Yield the entries below C: in the tar of a layer below; raises GeneratorError if it is damaged."""
    start = f"{facts().users_root}/"
    try:
        for entry in TarReader(opened()):
            if entry.name.startswith(start):
                path = entry.name.removeprefix(start).rstrip("/")
                if entry.kind == SYMBOLIC_LINK:
                    yield SourceEntry(path, "file-link", target=entry.target)
                else:
                    yield SourceEntry(path, "directory" if entry.kind == DIRECTORY else "file")
    except (TarError, OSError, EOFError, zlib.error) as error:
        raise GeneratorError(f"--base: a layer cannot be read: {error}; hint: winscratch check-image it") from error
