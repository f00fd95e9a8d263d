# SPDX-License-Identifier: Apache-2.0
"""The command `inspect`: print layers, images and registry hives as trees, bytes, .reg text, BCD store or JSON."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..base import console
from ..base.console import Verbatim
from ..base.errors import EXIT_OK, EXIT_STALE, GeneratorError, printable, shorten, visible
from ..bcd import decoding
from ..hives.reader import Visit, read
from ..hives.rules import Level
from ..imageread.untar import FILE
from . import entry_path, hexdump, inspect_json, regfile, resolve, tree_lines, tree_view
from .entry_path import EntryPath
from .merged import merged
from .regions import Regions
from .unpacked_layers import HiveFile, UnpackedImage, UnpackedLayer, Viewable


class InspectOptions(NamedTuple):
    """The options of `inspect`; paths and numbers as the user wrote them, None if absent."""

    path: str | None = None
    hex: str | None = None
    offset: str | None = None
    length: str | None = None
    reg: str | None = None
    prefix: str | None = None
    merged: bool = False
    depth: str | None = None
    find: str | None = None
    bcd: bool = False
    json: bool = False
    plain: bool = False
    textconv: bool = False


def inspect(root: Path, what: Sequence[str], options: InspectOptions) -> int:
    """Print the layers, images and hives named *what* in the form that *options* select, by default as trees.

    Return 0, or 1 if one is damaged; with *textconv*, always 0. Raise GeneratorError for wrong options or names.
    """
    _check(options)
    try:
        found = resolve.open_paths(what) if options.textconv else resolve.open_all(root, what)
        found = [merged(each) for each in found] if options.merged else found
    except GeneratorError as error:
        if not options.textconv:
            raise
        console.say(f"cannot be shown: {error}")  # git would abort its whole diff after an error
        return EXIT_OK
    if options.hex is not None:
        numbers = _number("--offset", options.offset), _number("--length", options.length)
        status = _hex(found, options.hex, *numbers, plain=options.plain)
    elif options.reg is not None:
        status = _reg(found, options.reg, options.prefix or "")
    elif options.bcd:
        status = _bcd(found)
    elif options.json:
        made = inspect_json.InspectDocument()
        console.say_json(made.of([(each, entry_path.find(each, options.path or "")) for each in found]))
        status = EXIT_STALE if made.damaged else EXIT_OK
    else:
        status = _trees(found, options)
    return EXIT_OK if options.textconv else status


def _check(options: InspectOptions) -> None:
    """Raise GeneratorError for options that exclude each other."""
    as_hex, as_reg = options.hex is not None, options.reg is not None
    forms = as_hex + as_reg + options.bcd + options.json
    for wrong, problem in (
        (forms > 1, "--hex, --reg, --bcd, --json exclude each other"),
        ((options.offset or options.length) and not as_hex, "--offset and --length need --hex"),
        (options.prefix and not as_reg, "--prefix needs --reg"),
        (options.merged and as_hex, "--merged and --hex exclude each other: bytes are those of one layer"),
        ((options.depth or options.find) and forms, "--depth and --find need a tree"),
        (options.path and (as_hex or as_reg), "--path conflicts with --hex and --reg, which take a path themselves"),
    ):
        if wrong:
            raise GeneratorError(f"inspect: {problem}")


def _trees(found: Sequence[Viewable], options: InspectOptions) -> int:
    status, seen = EXIT_OK, False
    depth = _number("--depth", options.depth, "levels", "--depth 2")
    with tree_lines.screen(plain=options.plain or options.textconv) as put:
        for number, viewable in enumerate(found):
            if number and not options.find:
                put(tree_lines.TreeLine(0, ()))
            lines = tree_view.lines(viewable, entry_path.find(viewable, options.path or ""))
            for line in tree_lines.chosen(lines, depth, options.find):
                seen = True
                status = max(status, EXIT_STALE if line.is_bad() else EXIT_OK)
                # git diff compares two files: their names would always differ.
                put(line._replace(parts=line.parts[1:]) if options.textconv and not line.level else line)
    if not seen and options.find:
        raise GeneratorError(f"inspect: {shorten(options.find)!r} not found; hint: a shorter part of it")
    return status


def _bcd(found: Sequence[Viewable]) -> int:
    stores = 0
    for name, data in _hives(found):
        store = decoding.read_store(read(data, keys=True).hive)
        if store is None:
            continue
        stores += 1
        if len(found) > 1 or not isinstance(found[0], HiveFile):
            console.say(name)
        for line in decoding.enumerate_all(store):
            console.say(Verbatim(printable(line)))
    if not stores:
        raise GeneratorError(f"{found[0].name if found else 'inspect'}: contains no BCD store; hint: omit --bcd")
    return EXIT_OK


def _hives(found: Sequence[Viewable]) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of each hive in layers, images and hive files."""
    for viewable in found:
        if isinstance(viewable, HiveFile):
            yield viewable.name, viewable.data
            continue
        for layer in viewable.layers if isinstance(viewable, UnpackedImage) else (viewable,):
            for entry in layer.entries:
                if layer.is_hive(entry):
                    yield f"{layer.name}: {visible(entry.name)}", layer.content(entry)[:]


def _one(found: Sequence[Viewable], option: str, path: str) -> tuple[UnpackedLayer | HiveFile, EntryPath]:
    """Return the one layer or hive that an *option* applies to, and *path* in it; of images, the layer that has it."""
    if len(found) == 1 and not isinstance(found[0], UnpackedImage):
        return found[0], entry_path.find(found[0], path)
    images = [each for each in found if isinstance(each, UnpackedImage)]
    if not images or len(images) < len(found):
        raise GeneratorError(f"inspect: {option} takes one layer or hive; hint: name one")
    # Images of several platforms may share a layer.
    layers = {layer.digest: layer for image in images for layer in image.layers}
    place = next((each for each in (entry_path.find(image, path) for image in images) if _have(layers, each)), None)
    if place is None:
        raise entry_path.absent(images[0].name, entry_path.find(images[0], path))
    having = _have(layers, place)
    if len(having) > 1:
        raise GeneratorError(
            f"{images[0].name}: {option} takes one layer, and {len(having):,} layers have {path!r}; hint: name an "
            "entry that only one layer has, or a layer as a file, such as DIR/blobs/sha256/… of an OCI layout"
        )
    return having[0], place


def _have(layers: Mapping[str, UnpackedLayer], place: EntryPath) -> list[UnpackedLayer]:
    """Return the layers that have an entry at *place*."""
    return [layer for layer in layers.values() if not place.path or place.entries(layer.entries)]


def _hive_at(viewable: UnpackedLayer | HiveFile, place: EntryPath) -> tuple[bytes, int]:
    """Return the bytes of the hive at *place*, and its offset in the tar or file."""
    if isinstance(viewable, HiveFile):
        return viewable.data, 0
    hives = [entry for entry in place.entries(viewable.entries) if viewable.is_hive(entry)]
    if len(hives) != 1:
        raise GeneratorError(
            f"{viewable.name}: {place.path or '.'} is not a registry hive; hint: name the entry of one"
        )
    return viewable.content(hives[0])[:], hives[0].offset


def _reg(found: Sequence[Viewable], path: str, prefix: str) -> int:
    viewable, place = _one(found, "--reg", path)
    reading = read(_hive_at(viewable, place)[0], keys=True)
    hive, key, lost = reading.hive, place.key or (), list[str]()
    parts = regfile.for_regedit(hive, key, prefix, lost) if prefix else regfile.export(hive, key)
    if parts is None:
        raise GeneratorError(f"{viewable.name}: has no key {place.key_text}")
    text = b"".join(parts)
    if sys.stdout is not None and sys.stdout.isatty():
        shown = text.decode("utf-16" if prefix else "utf-8", "backslashreplace")
        shown = shown.replace("\r", "") if prefix else shown
        for line in shown.split("\n")[:-1]:
            console.say(Verbatim(printable(line)))
    else:
        console.say_bytes(text)
    damage = [f"{each.level}: {each.message}" for each in reading.findings if each.level == Level.REFUSED]
    damage += [f"left out: {visible(each)}: a line end or NUL in a name" for each in lost]
    for finding in damage:
        console.note(f"{viewable.name}: {finding}")
    return EXIT_STALE if damage else EXIT_OK


def _hex(found: Sequence[Viewable], path: str, offset: int | None, length: int | None, *, plain: bool) -> int:
    viewable, place = _one(found, "--hex", path)
    data = viewable.data if isinstance(viewable, HiveFile) else viewable.tar
    regions = Regions(data, lazy=True)
    ranges, start = _ranges(viewable, place, regions)
    end = ranges[-1][1] - start
    if offset and offset >= end:
        raise GeneratorError(f"{viewable.name}: --offset 0x{offset:x} is beyond {path!r}, which ends at 0x{end:x}")
    chosen = _cut(ranges, start + (offset or 0), length)
    row = 8 if (tree_lines.columns(plain=plain) or 110) < 110 else 16
    with tree_lines.screen(plain=plain) as put:
        for line in hexdump.dump(regions, chosen, row, start):
            put(line)
    if regions.damage:
        console.note(f"{viewable.name}: {regions.damage}")
    return EXIT_STALE if regions.damage else EXIT_OK


def _ranges(
    viewable: UnpackedLayer | HiveFile, place: EntryPath, regions: Regions
) -> tuple[list[tuple[int, int]], int]:
    """Return the byte ranges to dump, and the offset of the file that printed offsets count from."""
    if place.key is not None:
        hive, start = _hive_at(viewable, place)
        nodes = [node for node in Visit(hive).nodes(place.key) if len(node.path) == len(place.key)]
        if not nodes:
            raise GeneratorError(f"{viewable.name}: has no key {place.key_text}")
        return hexdump.key_ranges(regions, start, nodes[0].at), start
    if isinstance(viewable, UnpackedLayer) and place.path:
        entries = [entry for entry in place.entries(viewable.entries) if entry.kind == FILE]
        if not entries:
            raise GeneratorError(f"{viewable.name}: has no file {place.path!r}")
        ranges = [(entry.offset, min(entry.offset + entry.size, len(regions.data))) for entry in entries]
        return ranges, ranges[0][0] if len(ranges) == 1 else 0
    return [(0, len(regions.data))], 0


def _cut(ranges: Sequence[tuple[int, int]], first: int, length: int | None) -> list[tuple[int, int]]:
    """Return the part of *ranges* from offset *first*, at most *length* bytes."""
    left, cut = 1 << 64 if length is None else length, []
    for start, end in ranges:
        begin = max(start, first)
        size = min(left, max(end - begin, 0))
        left -= size
        if size:
            cut.append((begin, begin + size))
    return cut


def _number(option: str, text: str | None, noun: str = "bytes", hint: str = "") -> int | None:
    """Return an option's number, decimal or hexadecimal with 0x; None if the option is absent."""
    if not text:
        return None
    try:
        number = int(text, 16 if text[:2].lower() == "0x" else 10)
    except ValueError:
        number = -1
    if number < 0 or len(text) > 18:
        hint = hint or f"{option} 4096 or {option} 0x1000"
        raise GeneratorError(f"inspect: {option} {shorten(text)!r} is not a number of {noun}; hint: {hint}")
    return number
