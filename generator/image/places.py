# SPDX-License-Identifier: Apache-2.0
"""Check the destinations of an image, and write it to each."""

import contextlib
import itertools
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ..base import console
from ..base.console import Say
from ..base.errors import GeneratorError
from ..base.workspace import workspace
from ..imageread import references as names
from ..imageread.references import Destination, Reference
from . import archive, layout, push, transfer
from .assemble import BuiltImage
from .model import LayerBlob
from .progress import Progress, hidden


class Made(NamedTuple):
    """A written image: the *digest* of its manifest or index, and a reference by digest for each destination."""

    digest: str
    references: tuple[str, ...]


class Hooks(NamedTuple):
    """Callbacks: *note* receives notices of one line, *progress* the progress of long work.

    *done* receives the reference by digest of each destination that has the image.
    """

    note: Say = console.note
    progress: Progress = hidden
    done: Say = lambda _: None


def destinations(to: Sequence[str], command: str) -> list[Destination]:
    """Parse *to*, the values of the option ``--to`` of *command*; raises GeneratorError."""
    found = [names.destination(text) for text in to]
    if not found:
        raise GeneratorError(f"{command}: --to is required; hint: --to oci:DIR[:REF] or --to docker://REF")
    _check_different(found)
    return found


class Job(NamedTuple):
    """An image to write: *check* raises GeneratorError for a wrong destination, *build* makes it.

    *build* gets a private directory, and a stack that is closed when all is written.
    """

    check: Callable[[Destination], None]
    build: Callable[[Path, contextlib.ExitStack], BuiltImage]


def write(to: Sequence[Destination], job: Job, hooks: Hooks, *, force: bool = False, plain: Sequence[str] = ()) -> Made:
    """Write the image of *job* to each destination, in their order.

    *force* allows overwriting archives, *plain* holds registries that may lack TLS.
    Raises GeneratorError. The destination at fault and those after it are then unchanged; those before it have the
    image.
    """
    first = next((each for each in to if each.path), to[0])
    references = []
    try:
        for each in to:
            job.check(each)
        with workspace(folder(first)) as work, contextlib.ExitStack() as stack:
            image = job.build(work, stack)
            for each in to:
                _check_platforms(each, len(image.variants))
            refuse_foreign(to, image.blobs.values())
            for each in to:
                references.append(_put(image, each, hooks, force=force, plain=plain))
                hooks.done(references[-1])
    except OSError as error:
        raise GeneratorError(f"{error.filename or to[0]}: {error.strerror or error}") from error
    return Made(image.top.digest, tuple(references))


def refuse_foreign(to: Sequence[Destination], layers: Iterable[LayerBlob]) -> None:
    """Raise GeneratorError if one of *layers* is foreign, and a destination cannot hold its URLs."""
    archive = next((each for each in to if each.transport == "docker-archive"), None)
    foreign = next((layer.digest for layer in layers if layer.foreign), "")
    if archive and foreign:
        raise GeneratorError(
            f"--to {archive}: the base's layer {foreign} is foreign: it stays where its URLs lead, and Docker's "
            "archive holds no URLs; hint: --to oci-archive:FILE"
        )


def _check_different(destinations: Sequence[Destination]) -> None:
    """Raise GeneratorError if two *destinations* are the same: the second write would replace the first."""
    for one, other in itertools.combinations(destinations, 2):
        same = _where(one) == _where(other)
        if one.transport == other.transport == "oci":  # a layout can hold several images by name
            same = same and one.reference == other.reference
        if same:
            raise GeneratorError(f"--to {other}: the same place as --to {one}; hint: leave one out")


def _where(destination: Destination) -> tuple[str, ...]:
    if destination.path:
        return (os.path.normcase(os.path.realpath(destination.path)),)
    reference = _reference(destination)
    return "docker", reference.full, reference.digest


def check(destination: Destination, platforms: int, *, force: bool) -> None:
    """Before the build, raise GeneratorError if *destination* cannot hold an image for so many *platforms*."""
    path = Path(destination.path)
    match destination.transport:
        case "oci":
            layout.check(path)
        case "docker":
            push.check(_reference(destination))
        case _:
            _check_platforms(destination, platforms)
            archive.check(path, force=force)


def _check_platforms(destination: Destination, platforms: int) -> None:
    if destination.transport == "docker-archive" and platforms > 1:
        raise GeneratorError(f"{destination}: Docker's archive holds one platform; hint: --to oci-archive:FILE")


def _put(image: BuiltImage, destination: Destination, hooks: Hooks, *, force: bool, plain: Sequence[str]) -> str:
    """Put *image* at *destination* and return its reference by digest."""
    path = Path(destination.path)
    try:
        with workspace(folder(destination)) as work:
            if destination.path:
                transfer.fetch(image.blobs.values(), hooks.progress)
            match destination.transport:
                case "oci":
                    foreign = {blob.digest for blob in image.blobs.values() if blob.foreign}
                    layout.add(path, image, destination.reference, work, hooks.note, without=foreign)
                case "oci-archive":
                    archive.write_oci(path, image, destination.reference, work, force=force)
                case "docker-archive":
                    archive.write_docker(path, image, destination.reference, work, force=force)
                    # The archive has no manifest; Docker identifies an image by its configuration's digest.
                    return f"{destination.transport}:{path}@{image.variants[0].config.digest}"
                case _:
                    return push.push(image, _reference(destination), work, hooks.note, hooks.progress, plain)
    except OSError as error:
        raise GeneratorError(f"{destination}: {error.strerror or error}, and nothing there was changed") from error
    return f"{destination.transport}:{path}@{image.top.digest}"


def _reference(destination: Destination) -> Reference:
    return names.reference(destination.reference, str(destination))


def folder(destination: Destination) -> Path:
    """Return the directory for temporary files of *destination*: on the same file system, for atomic renames."""
    if not destination.path:
        return Path(tempfile.gettempdir())
    path = Path(os.path.realpath(destination.path))
    return path if destination.transport == "oci" else path.parent
