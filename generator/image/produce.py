# SPDX-License-Identifier: Apache-2.0
"""An image from its options to every place that it goes to."""

import itertools
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..base import console, home
from ..base.console import Say
from ..base.errors import GeneratorError, one_line, shorten
from ..generation.committed import committed_blob
from ..imageread import references as names
from ..imageread.references import Destination, Platform, Reference
from . import archive, config, layout, push
from .assemble import Image, Layers, assemble
from .entrypoint import is_there
from .layers import make_layers
from .model import GZIP, Blob, LayerOptions, Source
from .options import Options, checked, epoch
from .progress import Progress, hidden
from .source_name import source as parse_source
from .sources import place, refuse_inside
from .workspace import workspace

MOST_LAYERS = 125  # github.com/moby/moby layer/layer_store.go
RUNS_NONE = ("scratch", "legacy")  # layers that are there to be built upon or to hold files


class Made(NamedTuple):
    """An image that was made: the *digest* of its manifest or index, and its *references* by digest, one a place."""

    digest: str
    references: tuple[str, ...]


def make(
    options: Options, *, note: Say = console.note, progress: Progress = hidden, done: Say = lambda _: None
) -> Made:
    """Make the image that *options* ask for and put it everywhere it goes to, in that order.

    *note* is told in one line each what a user has to know, *progress* how far long work is, and *done*
    the reference by digest of each place as soon as the image is there.
    Raises GeneratorError, whose message is one line that says what is wrong and how to fix it. The place that it
    is about is then as it was, and so are those behind it; those before it have the image.
    """
    note = _in_one_line(note)
    options = checked(options)
    destinations = [names.destination(text) for text in options.to]
    if not destinations:
        raise GeneratorError("image: where to? give --to oci:DIR[:REF], --to docker://REF or another")
    _check_different(destinations)
    sources = [parse_source(os.fspath(text)) for text in options.source]
    platforms = [names.platform(text) for text in options.platform] or [Platform()]
    if len(set(platforms)) < len(platforms):
        raise GeneratorError("--platform: one is given twice; leave one out")
    config.running(options)
    time = epoch()
    base = committed_blob(Path(home.ROOT), options.layer)
    try:
        for destination in destinations:
            _check(destination, sources, platforms, force=options.force)
        if options.layer in RUNS_NONE and (options.entrypoint or options.cmd):
            note(f"warning: no program starts on {options.layer}, which has no Windows in it; give --layer hostprocess")
        if len(sources) >= MOST_LAYERS and not options.one_layer:
            note(f"warning: {len(sources) + 1} layers, and Docker takes {MOST_LAYERS} at most; give --one-layer")
        with workspace(_folder(next((each for each in destinations if each.path), destinations[0]))) as work:
            path = work / "base"
            path.write_bytes(base.compressed)
            below = Blob(path, base.digest, base.diff_id, len(base.compressed), GZIP)
            chosen = LayerOptions(
                options.exclude, options.security, options.times, time, options.compression, options.one_layer, base.tar
            )
            paths: list[str] = []
            with progress("making layers", True) as tell:
                above = make_layers(
                    sources,
                    chosen,
                    work,
                    note=note,
                    progress=tell,
                    planned=lambda plan: paths.extend(entry.path for entry in plan if entry.kind != "directory"),
                )
            if options.entrypoint and not is_there(options.entrypoint[0], options.workdir, paths):
                given = shorten(options.entrypoint[0])
                note(f"--entrypoint {given}: no file of that name is in the image; it must be on the node")
            said = _history(sources, len(above))
            image = assemble(options, Layers(below, tuple(zip(above, said, strict=True))), platforms, time)
            references = []
            for each in destinations:
                references.append(_put(image, each, options, note=note, progress=progress))
                done(references[-1])
    except OSError as error:
        raise GeneratorError(f"{error.filename or options.to[0]}: {error.strerror or error}") from error
    return Made(image.top.digest, tuple(references))


def _in_one_line(note: Say) -> Say:
    """Return *note* for lines that may hold the names of files, which command neither a terminal nor a log."""
    return lambda text: note(one_line(text))


def _check_different(destinations: Sequence[Destination]) -> None:
    """Raise GeneratorError where two *destinations* are one: of them, only the last would stay."""
    for one, other in itertools.combinations(destinations, 2):
        same = _where(one) == _where(other)
        if one.transport == other.transport == "oci":  # which holds images by name
            same = same and one.reference == other.reference
        if same:
            raise GeneratorError(f"--to {other}: is the same place as --to {one}; leave one out")


def _where(destination: Destination) -> tuple[str, ...]:
    if destination.path:
        return (os.path.normcase(os.path.realpath(destination.path)),)
    reference = _reference(destination)
    return "docker", reference.full, reference.digest


def _check(destination: Destination, sources: Sequence[Source], platforms: Sequence[Platform], *, force: bool) -> None:
    """Raise GeneratorError where it is known already that *destination* will not do."""
    path = Path(destination.path)
    match destination.transport:
        case "oci":
            layout.check(path)
        case "docker":
            push.check(_reference(destination))
        case "docker-archive" if len(platforms) > 1:
            raise GeneratorError(f"{destination}: Docker's archive holds one platform; give oci-archive:FILE, or one")
        case _:
            archive.check(path, force=force)
    for written in (path, _folder(destination)) if destination.path else (_folder(destination),):
        refuse_inside(written, sources)


def _put(image: Image, destination: Destination, options: Options, *, note: Say, progress: Progress) -> str:
    """Put *image* at *destination* and return its reference by digest."""
    path = Path(destination.path)
    try:
        with workspace(_folder(destination)) as work:
            match destination.transport:
                case "oci":
                    layout.add(path, image, destination.reference, work, note)
                case "oci-archive":
                    archive.write_oci(path, image, destination.reference, work, force=options.force)
                case "docker-archive":
                    archive.write_docker(path, image, destination.reference, work, force=options.force)
                    # Docker has no manifest there, and knows an image by its configuration.
                    return f"{destination.transport}:{path}@{image.variants[0].config.digest}"
                case _:
                    return push.push(image, _reference(destination), work, note, progress)
    except OSError as error:
        raise GeneratorError(f"{destination}: {error.strerror or error}; what was there is as it was") from error
    return f"{destination.transport}:{path}@{image.top.digest}"


def _reference(destination: Destination) -> Reference:
    return names.reference(destination.reference, str(destination))


def _folder(destination: Destination) -> Path:
    """Return the folder that a run works in for *destination*: on the same file system, so that a name can move."""
    if not destination.path:
        return Path(tempfile.gettempdir())
    path = Path(os.path.realpath(destination.path))
    return path if destination.transport == "oci" else path.parent


def _history(sources: Sequence[Source], layers: int) -> list[str]:
    """Return what the history says of each of so many *layers*: where in the image its sources went."""
    places = ["C:\\" + place(source.dest).replace("/", "\\") for source in sources]
    if layers != len(sources):
        places = [", ".join(places)]
    return [f"winscratch image: files to {place}" for place in places]
