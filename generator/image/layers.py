# SPDX-License-Identifier: Apache-2.0
"""Make the layers of an image from files and directories."""

import contextlib
import gc
import hashlib
import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path

from .. import VERSION
from ..base.console import Say
from ..base.errors import GeneratorError
from ..base.folders import Folders
from ..imageread.bounded import MOST_UNPACKED, most_unpacked
from .cache import Cache, CacheRecord, open_cache, record_name, settle
from .compress import LEVELS, Chunk, method, replay, write_blob
from .entries import LayerChunks, check_paths, left_out, plan_chunks, security
from .importable import check_importable
from .links import link_kinds
from .model import GZIP, EntryOptions, LayerBlob, LayerOptions, Source
from .sources import SourceEntry, collect, refuse_inside
from .workers import ordered
from .writer import version

Progress = Callable[[int, int], None]


def make_layers(
    sources: Sequence[Source],
    options: LayerOptions,
    work: Path,
    *,
    note: Say,
    progress: Progress | None = None,
    planned: Callable[[Sequence[SourceEntry]], None] | None = None,
    environment: Mapping[str, str] = os.environ,
) -> list[LayerBlob]:
    """Return the layers of *sources*, written to new files in the directory *work*.

    The blobs depend only on the content and names of the files and on *options*. *note* receives notices of one line,
    *progress* the bytes done and their total, and *planned* the entries of all layers before the first is written.
    *environment* locates the cache. Raises GeneratorError; the files in *work* are then incomplete.
    """
    refuse_inside(work, sources)
    security(options.security)
    started = time.time_ns()
    groups = [sources] if options.one_layer and sources else [[source] for source in sources]
    with _without_collection(), Folders() as folders:
        plans: Sequence[Sequence[SourceEntry]] = [collect(group, options.exclude, note, folders) for group in groups]
        folders.close()  # each is opened again when it is read, so that an exchange shows
        if any(source.own != EntryOptions() for source in sources):
            plans = _with_options_of_parents(plans)
        plans = link_kinds(plans, options, note)
        for plan in plans:
            check_importable(plan)
        if planned is not None:
            planned([entry for plan in plans for entry in plan])
        tell = _counter(sum(map(_size, plans)), progress)
        cache = open_cache(note, environment) if LEVELS[options.compression] else None
        return [
            _layer(entries, options, work / f"layer-{number}", cache, started, note, tell)
            for number, entries in enumerate(plans, 1)
        ]


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Let Python's garbage collector rest: it would visit the entries many times, and find none to free."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _with_options_of_parents(plans: Sequence[Sequence[SourceEntry]]) -> list[list[SourceEntry]]:
    """Return *plans*; directories that are only parents have the options that a layer below gives them."""
    known: dict[str, EntryOptions] = {}
    changed = []
    for plan in plans:
        changed.append(
            [entry if entry.stamp else entry._replace(own=known.get(entry.path, entry.own)) for entry in plan]
        )
        known |= {entry.path: entry.own for entry in changed[-1] if entry.kind == "directory"}
    return changed


def _counter(total: int, progress: Progress | None) -> Callable[[int], None]:
    """Return a function that adds up bytes and reports their sum and *total* to *progress*."""
    done = 0

    def tell(size: int) -> None:
        nonlocal done
        done = min(done + size, total)
        if progress is not None:
            progress(done, total)

    return tell


def _layer(
    entries: Sequence[SourceEntry],
    options: LayerOptions,
    path: Path,
    cache: Cache | None,
    started: int,
    note: Say,
    tell: Callable[[int], None],
) -> LayerBlob:
    """Return one layer, written to *path*; *started* is the time before its files were found, in nanoseconds."""
    level = LEVELS[options.compression]
    name = record_name(entries, *_made_by(level), options.security, options.times, options.time) if cache else ""
    record = cache.record(name) if cache else None
    if cache and record and (blob := replay(record, cache, path)):
        tell(_size(entries))
        for line in record.notes:
            note(line)
        return blob
    stored = False
    if cache:
        cache.trim()
        stored = settle(entries, started)
    lost: dict[str, list[str]] = {}
    with contextlib.closing(_chunks(entries, options, cache, lost, tell)) as made:
        blob, chunks, unpacked = write_blob(path, made, level)
    _check_ratio(entries, unpacked, blob)
    notes = [left_out(lost)] if lost else []
    for line in notes:
        note(line)
    if cache:
        if stored:
            cache.put_record(name, CacheRecord(blob.digest, blob.diff_id, blob.size, chunks, notes))
        cache.trim()
    return blob


def _chunks(
    entries: Sequence[SourceEntry],
    options: LayerOptions,
    cache: Cache | None,
    lost: dict[str, list[str]],
    tell: Callable[[int], None],
) -> Generator[tuple[Chunk, memoryview], None, None]:
    """Yield the chunks of a layer as write_blob() takes them; add to *lost* the files that lose attributes."""
    with contextlib.closing(ordered(LayerChunks(entries, options, cache).make, plan_chunks(entries))) as made:
        for number, ((chunk, without), memory) in enumerate(made):
            if number == 0:  # now that the workers have begun
                check_paths(entries)
            for what, source in without:
                lost.setdefault(what, []).append(source)
            yield chunk, memory
            tell(chunk.size)


def _check_ratio(entries: Sequence[SourceEntry], unpacked: int, blob: LayerBlob) -> None:
    """Raise GeneratorError for a layer that unpacks to more than check-image reads; name its largest file."""
    if unpacked <= most_unpacked(blob.size):
        return
    largest = max(entries, key=lambda entry: entry.stamp.size if entry.stamp and entry.kind == "file" else -1)
    advice = "--compression none" if unpacked <= MOST_UNPACKED and blob.media_type == GZIP else "--exclude"
    raise GeneratorError(
        f"{largest.source}: with the rest of its layer it unpacks from {blob.size:,} to {unpacked:,} bytes, which "
        f"check-image takes for a decompression bomb; hint: {advice}"
    )


def _size(entries: Sequence[SourceEntry]) -> int:
    """Return the total size of the files, in bytes."""
    return sum(entry.stamp.size for entry in entries if entry.stamp and entry.kind == "file")


def _made_by(level: int) -> list[str]:
    """Return all that determines the bytes of a layer besides files and options."""
    code = hashlib.sha256(VERSION.encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        code.update(path.read_bytes())
    return [code.hexdigest(), version(), method(level)]
