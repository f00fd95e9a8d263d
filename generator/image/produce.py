# SPDX-License-Identifier: Apache-2.0
"""Make an image of its options and write it to every destination."""

import itertools
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from ..base import console, home
from ..base.console import Say
from ..base.errors import GeneratorError, one_line
from ..generation.committed import committed_blob
from ..imageread import references as names
from ..imageread.references import Destination, Platform, Reference
from . import archive, config, layout, push
from .assemble import BuiltImage, Layers, PlatformImage, assemble
from .entrypoint import settle
from .layers import make_layers
from .model import GZIP, LayerBlob, LayerOptions, Source
from .options import Options, checked, epoch
from .progress import Progress, hidden
from .source_name import is_for, parse_source
from .sources import SourceEntry, place, refuse_inside
from .spool import spooled
from .workspace import workspace

MOST_LAYERS = 125  # github.com/moby/moby layer/layer_store.go


class Made(NamedTuple):
    """An image that was made: the *digest* of its manifest or index, and its *references* by digest, one a place."""

    digest: str
    references: tuple[str, ...]


class _Request(NamedTuple):
    """Options, parsed: *sources* with the platform that each is for, or None for all; *time* in seconds from 1970."""

    options: Options
    destinations: list[Destination]
    sources: list[tuple[Source, Platform | None]]
    platforms: list[Platform]
    time: int

    def sources_for(self, platform: Platform) -> list[Source]:
        """Return the sources of the image for *platform*."""
        return [source for source, wanted in self.sources if wanted is None or is_for(wanted, platform)]


def make(
    options: Options, *, note: Say = console.note, progress: Progress = hidden, done: Say = lambda _: None
) -> Made:
    """Make the image of *options* and write it to each destination, in their order.

    *note* receives notices of one line, *progress* the progress of long work, and *done* the reference by digest of
    each destination that has the image.
    Raises GeneratorError. The destination at fault and those after it are then unchanged; those before it have the
    image.
    """
    note = _once(note)
    request = _request(options)
    options = request.options
    base = committed_blob(Path(home.ROOT), options.layer)
    try:
        for destination in request.destinations:
            _check(destination, request)
        first = next((each for each in request.destinations if each.path), request.destinations[0])
        with workspace(_folder(first)) as work:
            request = _spooled(request, work)
            path = work / "base"
            path.write_bytes(base.compressed)
            below = LayerBlob(path, base.digest, base.diff_id, len(base.compressed), GZIP)
            image = assemble(_variants(request, (below, base.tar), work, note, progress), request.time)
            references = []
            for each in request.destinations:
                references.append(_put(image, each, options, note=note, progress=progress))
                done(references[-1])
    except OSError as error:
        raise GeneratorError(f"{error.filename or options.to[0]}: {error.strerror or error}") from error
    return Made(image.top.digest, tuple(references))


def _request(options: Options) -> _Request:
    """Return *options* parsed; raises GeneratorError."""
    options = checked(options)
    destinations = [names.destination(text) for text in options.to]
    if not destinations:
        raise GeneratorError("image: --to is required; hint: --to oci:DIR[:REF] or --to docker://REF")
    _check_different(destinations)
    sources = [parse_source(each) for each in options.source]
    platforms = [names.platform(text) for text in options.platform]
    if len(set(platforms)) < len(platforms):
        raise GeneratorError("--platform: one is given twice; hint: leave one out")
    own = dict.fromkeys(platform for _, platform in sources if platform is not None)
    platforms = platforms or list(own) or [Platform()]
    if lost := next((each for each in own if not any(is_for(each, platform) for platform in platforms)), None):
        raise GeneratorError(f"{lost}: a source is for this platform, and the image is not; hint: --platform {lost}")
    config.running(options)
    return _Request(options, destinations, sources, platforms, epoch())


def _spooled(request: _Request, work: Path) -> _Request:
    """Return *request* with the data of its sources in files in *work*."""
    pairs = enumerate(request.sources)
    return request._replace(sources=[(spooled(each, work / f"data-{n}"), wanted) for n, (each, wanted) in pairs])


def _variants(
    request: _Request, base: tuple[LayerBlob, bytes], work: Path, note: Say, progress: Progress
) -> list[PlatformImage]:
    """Return the layers and the options of each platform; platforms with the same sources share their layers."""
    groups: dict[tuple[Source, ...], list[Platform]] = {}
    for platform in request.platforms:
        groups.setdefault(tuple(request.sources_for(platform)), []).append(platform)
    made: dict[Platform, PlatformImage] = {}
    for number, (sources, platforms) in enumerate(groups.items()):
        folder = work / f"platform-{number}"
        folder.mkdir()
        with progress("making layers", True) as tell:
            made |= _group(request, sources, platforms, _Making(*base, folder, note, tell))
    return [made[platform] for platform in request.platforms]


class _Making(NamedTuple):
    base: LayerBlob
    base_tar: bytes
    folder: Path
    note: Say
    progress: Callable[[int, int], None]


def _group(
    request: _Request, sources: Sequence[Source], platforms: Sequence[Platform], making: _Making
) -> dict[Platform, PlatformImage]:
    """Return the images of *platforms*, which have the same *sources*."""
    options, note = request.options, making.note
    if len(sources) >= MOST_LAYERS and not options.one_layer:
        note(f"warning: image: {len(sources) + 1} layers, and Docker takes at most {MOST_LAYERS}; hint: --one-layer")
    settled: dict[Platform, Options] = {}

    def planned(entries: Sequence[SourceEntry]) -> None:
        for platform in platforms:
            settled[platform] = settle(options, platform, entries, note)

    chosen = LayerOptions(
        options.exclude,
        options.security,
        options.times,
        request.time,
        options.compression,
        options.one_layer,
        making.base_tar,
    )
    above = make_layers(
        sources,
        chosen,
        making.folder,
        note=note,
        progress=making.progress,
        planned=planned,
    )
    layers = Layers(making.base, tuple(zip(above, _history(sources, len(above)), strict=True)))
    return {platform: PlatformImage(platform, settled[platform], layers) for platform in platforms}


def _once(note: Say) -> Say:
    """Return *note* for lines with names from outside: as one line, without control characters, each line once."""
    said: set[str] = set()

    def tell(text: str) -> None:
        if (line := one_line(text)) not in said:
            said.add(line)
            note(line)

    return tell


def _check_different(destinations: Sequence[Destination]) -> None:
    """Raise GeneratorError if two *destinations* are the same: only the last image would stay."""
    for one, other in itertools.combinations(destinations, 2):
        same = _where(one) == _where(other)
        if one.transport == other.transport == "oci":  # which holds images by name
            same = same and one.reference == other.reference
        if same:
            raise GeneratorError(f"--to {other}: the same place as --to {one}; hint: leave one out")


def _where(destination: Destination) -> tuple[str, ...]:
    if destination.path:
        return (os.path.normcase(os.path.realpath(destination.path)),)
    reference = _reference(destination)
    return "docker", reference.full, reference.digest


def _check(destination: Destination, request: _Request) -> None:
    """Raise GeneratorError if the image certainly cannot be written to *destination*."""
    path = Path(destination.path)
    match destination.transport:
        case "oci":
            layout.check(path)
        case "docker":
            push.check(_reference(destination))
        case "docker-archive" if len(request.platforms) > 1:
            raise GeneratorError(f"{destination}: Docker's archive holds one platform; hint: --to oci-archive:FILE")
        case _:
            archive.check(path, force=request.options.force)
    for written in (path, _folder(destination)) if destination.path else (_folder(destination),):
        refuse_inside(written, [source for source, _ in request.sources])


def _put(image: BuiltImage, destination: Destination, options: Options, *, note: Say, progress: Progress) -> str:
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
        raise GeneratorError(f"{destination}: {error.strerror or error}, and nothing there was changed") from error
    return f"{destination.transport}:{path}@{image.top.digest}"


def _reference(destination: Destination) -> Reference:
    return names.reference(destination.reference, str(destination))


def _folder(destination: Destination) -> Path:
    """Return the directory for temporary files of *destination*: on the same file system, for atomic renames."""
    if not destination.path:
        return Path(tempfile.gettempdir())
    path = Path(os.path.realpath(destination.path))
    return path if destination.transport == "oci" else path.parent


def _history(sources: Sequence[Source], layers: int) -> list[str]:
    """Return the history's text for each of *layers* layers: where in the image its sources went."""
    places = ["C:\\" + place(source.dest).replace("/", "\\") for source in sources]
    if layers != len(sources):
        places = [", ".join(places)]
    return [f"winscratch image: files to {place}" for place in places]
