# SPDX-License-Identifier: Apache-2.0
"""Build an image from its options and write it to every destination."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..base import console
from ..base.console import Say
from ..base.errors import GeneratorError, one_line, shorten
from ..imageread import references as names
from ..imageread.references import Destination, Platform
from . import config, places
from .assemble import BuiltImage, Layers, PlatformImage, assemble
from .base import Base
from .below import Below, find_bases, own_base
from .entrypoint import settle
from .layers import make_layers
from .model import LayerOptions, Source
from .options import Options, checked, epoch
from .places import Hooks, Job, Made
from .progress import Progress, hidden
from .source_name import is_for, parse_source
from .sources import SourceEntry, place, refuse_inside
from .spool import spooled

MOST_LAYERS = 125  # github.com/moby/moby layer/layer_store.go


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

    def build(work: Path, stack: contextlib.ExitStack) -> BuiltImage:
        with_files = _spooled(request, work)
        return assemble(_variants(with_files, _bases(request, stack, work), work, note, progress), request.time)

    job = Job(lambda destination: _check(destination, request), build)
    hooks = Hooks(note, progress, done)
    return places.write(request.destinations, job, hooks, force=options.force, plain=options.plain_http)


def _bases(request: _Request, stack: contextlib.ExitStack, work: Path) -> dict[Platform, Below]:
    """Return the base for each platform of *request*.

    If *request* has no platforms, the base's only platform is added to it.
    """
    options = request.options
    if not options.base:
        return dict.fromkeys(request.platforms, own_base(options.layer, work))
    found = find_bases(options, request.platforms, request.destinations, stack, work)
    request.platforms[:] = found
    return found


def _request(options: Options) -> _Request:
    """Return *options* parsed; raises GeneratorError."""
    options = checked(options)
    destinations = places.destinations(options.to, "image")
    sources = [parse_source(each) for each in options.source]
    platforms = [names.platform(text) for text in options.platform]
    if len(set(platforms)) < len(platforms):
        raise GeneratorError("--platform: one is given twice; hint: leave one out")
    own = dict.fromkeys(platform for _, platform in sources if platform is not None)
    platforms = platforms or list(own) or ([] if options.base else [Platform()])
    if lost := next((each for each in own if not any(is_for(each, platform) for platform in platforms)), None):
        raise GeneratorError(f"{lost}: a source is for this platform, and the image is not; hint: --platform {lost}")
    names.check_hosts(options.plain_http)
    if options.base and options.layer != Options().layer:
        raise GeneratorError(f"--base {shorten(options.base)}: --layer is given, too; hint: leave one out")
    config.running(options)
    return _Request(options, destinations, sources, platforms, epoch())


def _spooled(request: _Request, work: Path) -> _Request:
    """Write the data of sources that have no path to files in *work*; return *request* with their paths."""
    pairs = enumerate(request.sources)
    return request._replace(sources=[(spooled(each, work / f"data-{n}"), wanted) for n, (each, wanted) in pairs])


def _variants(
    request: _Request, bases: Mapping[Platform, Below], work: Path, note: Say, progress: Progress
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
            made |= _group(request, sources, platforms, _Making(bases, folder, note, tell))
    return [made[platform] for platform in request.platforms]


class _Making(NamedTuple):
    bases: Mapping[Platform, Below]
    folder: Path
    note: Say
    progress: Callable[[int, int], None]


def _group(
    request: _Request, sources: Sequence[Source], platforms: Sequence[Platform], making: _Making
) -> dict[Platform, PlatformImage]:
    """Return the images of *platforms*, which have the same *sources*."""
    options, note = request.options, making.note
    bases = {platform: making.bases[platform] for platform in platforms}
    own = 1 if options.one_layer and sources else len(sources)
    layers = own + max(len(each.base.layers) if isinstance(each.base, Base) else 1 for each in bases.values())
    if layers > MOST_LAYERS:
        note(f"warning: image: {layers} layers, and Docker takes at most {MOST_LAYERS}; hint: --one-layer")
    settled: dict[Platform, Options] = {}

    def planned(entries: Sequence[SourceEntry]) -> None:
        for platform, (base, *_) in bases.items():
            settled[platform] = settle(options, platform, entries, note, base if isinstance(base, Base) else None)

    above = make_layers(
        sources,
        _layer_options(request, [*bases.values()]),
        making.folder,
        note=note,
        progress=making.progress,
        planned=planned,
    )
    history = tuple(zip(above, _history(sources, len(above)), strict=True))
    return {
        platform: PlatformImage(
            base.platform if isinstance(base, Base) else platform, settled[platform], Layers(base, history)
        )
        for platform, (base, *_) in bases.items()
    }


def _layer_options(request: _Request, bases: Sequence[Below]) -> LayerOptions:
    """Return the options of layers on *bases*."""
    options = request.options
    return LayerOptions(
        options.exclude,
        options.security,
        options.times,
        request.time,
        options.compression,
        options.one_layer,
        tuple(dict.fromkeys(tar for each in bases for tar in each.tars)),
        all(each.complete for each in bases),
        options.link,
    )


def _once(note: Say) -> Say:
    """Wrap *note* for text with untrusted names: remove line breaks and control characters, and drop repeated lines."""
    said: set[str] = set()

    def tell(text: str) -> None:
        if (line := one_line(text)) not in said:
            said.add(line)
            note(line)

    return tell


def _check(destination: Destination, request: _Request) -> None:
    """Raise GeneratorError if the image cannot be written to *destination*, or would be written into a source."""
    places.check(destination, len(request.platforms), force=request.options.force)
    folder = places.folder(destination)
    for written in (Path(destination.path), folder) if destination.path else (folder,):
        refuse_inside(written, [source for source, _ in request.sources])


def _history(sources: Sequence[Source], layers: int) -> list[str]:
    """Return the history text of each of *layers* layers, which names the paths of its sources in the image."""
    places = ["C:\\" + place(source.dest).replace("/", "\\") for source in sources]
    if layers != len(sources):
        places = [", ".join(places)]
    return [f"winscratch image: files to {place}" for place in places]
