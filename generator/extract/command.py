# SPDX-License-Identifier: Apache-2.0
"""The command `extract`: write files of a Windows image to a new folder, or as a tar to standard output."""

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from ..base import console
from ..base.errors import EXIT_OK, EXIT_STALE, GeneratorError, counted, shorten, visible
from ..base.workspace import workspace
from ..imageread import references
from ..imageread.found import diff_ids
from ..imageread.images import Image
from ..views import resolve
from ..views.display_text import platform_text
from ..views.merged import MergedLayer, merged_layer
from ..views.unpacked_layers import Budget, UnpackedImage
from . import disk, tarball
from .selection import items, selected

_MOST_LINES: Final = 100  # of entries that are left out


class ExtractOptions(NamedTuple):
    """The options of `extract`, as the user wrote them."""

    to: str | None = None
    tar: bool = False
    platform: str | None = None
    plain_http: Sequence[str] = ()


def extract(root: Path, image: str, paths: Sequence[str], options: ExtractOptions) -> int:
    """Write the files of *image* at *paths*, or all, to a new folder or to standard output.

    Return 0, or 1 if entries are left out, which are listed. Raise GeneratorError for damage or a wrong name, before
    anything is written.
    """
    if bool(options.to) == options.tar:
        raise GeneratorError("extract: give either --to or --tar; hint: --to DIR")
    if "" in paths:
        raise GeneratorError("extract: an empty PATH; hint: . for all files")
    if options.to:
        _check_folder(options.to)
    references.check_hosts(options.plain_http)
    layer = _opened(root, image, options)
    for name in layer.opaque:
        console.note(f"warning: {image}: {visible(name)} hides nothing: Windows has no opaque whiteouts")
    chosen, lost = selected(layer, image, paths)
    found = items(layer, chosen, lambda name, reason: lost.append((name, reason)))
    if options.to:
        with _new_folder(options.to) as top:
            written = disk.write(found, top, lambda name, reason: lost.append((name, reason)))
        console.say(f"{options.to}: {written}")
    else:
        tarball.write(found, console.say_bytes)
    for name, reason in lost[:_MOST_LINES]:
        console.note(f"{image}: left out: {visible(name)}: {reason}")
    if len(lost) > _MOST_LINES:
        console.note(f"{image}: {counted(len(lost) - _MOST_LINES, 'more entry').replace('entrys', 'entries')} left out")
    return EXIT_STALE if lost else EXIT_OK


def _opened(root: Path, image: str, options: ExtractOptions) -> MergedLayer:
    """Return the merged tree of the one image, layer or archive called *image*; raise GeneratorError if damaged."""
    platform = options.platform
    wanted = references.platform(platform) if platform is not None else None

    def choose(name: str, found: list[Image]) -> list[Image]:
        fits = [each for each in found if wanted is None or _fits(each, wanted)]
        if len(fits) == 1:
            return fits
        known = shorten(", ".join(f"{each.name} ({_platform(each)})" for each in fits or found), 600)
        if not fits:
            raise GeneratorError(f"{name}: no Windows image{f' for {platform}' if platform else ''}; hint: {known}")
        way = "name" if platform else "--platform, or name"
        raise GeneratorError(f"{name}: {len(fits):,} images; hint: {way} one of {known}")

    budget = Budget()
    budget.choose, budget.plain = choose, options.plain_http
    (viewable,) = resolve.open_one(root, image, budget)
    damage: list[str] = []
    if isinstance(viewable, UnpackedImage):
        damage += map(str, viewable.damage)
        if len(diff_ids(viewable.config)) != len(viewable.layers):
            damage.append("its configuration does not have a diff ID for each layer")
    layer = merged_layer(viewable)
    damage += map(str, layer.damage)
    if damage:
        raise GeneratorError(f"{image}: {damage[0]}; hint: winscratch check-image")
    return layer


def _platform(image: Image) -> str:
    known = [each for each in (image.platform, image.config) if each is not None]
    return platform_text(*known) if known else "unknown platform"


def _fits(image: Image, wanted: references.Platform) -> bool:
    """Return whether an image has a platform, of any version if *wanted* has none, of any revision of its build."""
    found, _, version = _platform(image).partition(":")
    has_version = not wanted.version or f"{version}.".startswith(f"{wanted.version}.")
    return found == f"windows/{wanted.architecture}" and has_version


def _check_folder(to: str) -> None:
    """Raise GeneratorError unless *to* is missing or an empty folder."""
    try:
        status = os.lstat(to)
        if not stat.S_ISDIR(status.st_mode):
            raise GeneratorError(f"--to {to}: not a folder; hint: give a new one")
        if Path(to).samefile(os.curdir):
            raise GeneratorError(f"--to {to}: the current folder; hint: give a new one")
        with os.scandir(to) as listed:
            if next(listed, None) is not None:
                raise GeneratorError(f"--to {to}: not empty; hint: give a new folder")
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise GeneratorError(f"--to {to}: {getattr(error, 'strerror', None) or error}") from error


@contextlib.contextmanager
def _new_folder(to: str) -> Iterator[str]:
    """Yield a folder in a private place beside *to*, and rename it to *to* at the end; raise GeneratorError."""
    path = Path(to).absolute()
    try:
        with workspace(path.parent) as work:
            made = work / "tree"
            made.mkdir()
            yield str(made)
            with contextlib.suppress(FileNotFoundError):
                made.chmod(stat.S_IMODE(path.lstat().st_mode))
                if os.name == "nt":  # where a folder cannot replace an empty one
                    path.rmdir()
            made.rename(path)
    except OSError as error:
        raise GeneratorError(f"--to {to}: cannot be written: {error.strerror or error}") from error
