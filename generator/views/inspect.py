# SPDX-License-Identifier: Apache-2.0
"""The command `inspect`: what is in layers, images and registry hives, as trees, bytes, .reg text or JSON."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..base import console
from ..base.console import Verbatim
from ..base.errors import EXIT_OK, EXIT_STALE, GeneratorError, printable, visible
from ..bcd import decoding
from ..hives.reader import Visit, read
from ..hives.rules import Level
from ..imageread.untar import FILE
from . import entry_path, hexdump, inspect_json, regfile, resolve, tree_lines, tree_view
from .entry_path import EntryPath
from .regions import Regions
from .unpacked_layers import HiveFile, UnpackedImage, UnpackedLayer, Viewable


def inspect(
    root: Path,
    what: Sequence[str],
    *,
    path: str | None = None,
    hex: str | None = None,  # noqa: A002 - an option is called so
    offset: str | None = None,
    length: str | None = None,
    reg: str | None = None,
    bcd: bool = False,
    json: bool = False,
    plain: bool = False,
    textconv: bool = False,
) -> int:
    """Show all that *what* names in the form that one of the options asks for, by default as trees.

    Return 0, or 1 where one is damaged, so that the view ends early, but 0 then, too, where *textconv*.
    """
    forms = {"--hex": hex is not None, "--reg": reg is not None, "--bcd": bcd, "--json": json}
    if sum(forms.values()) > 1:
        raise GeneratorError(f"inspect: give one of {', '.join(forms)}")
    if (offset or length) and hex is None:
        raise GeneratorError("inspect: --offset and --length go with --hex")
    if path and (hex is not None or reg is not None):
        raise GeneratorError("inspect: --hex and --reg have a path of their own; leave out --path")
    try:
        found = resolve.open_paths(what) if textconv else resolve.open_all(root, what)
    except GeneratorError as error:
        if not textconv:
            raise
        console.say(f"cannot be shown: {error}")  # git would end its whole diff for an error
        return EXIT_OK
    if hex is not None:
        status = _hex(found, hex, _number("--offset", offset), _number("--length", length), plain=plain)
    elif reg is not None:
        status = _reg(found, reg)
    elif bcd:
        status = _bcd(found)
    elif json:
        status = _json(found, path or "")
    else:
        status = _trees(found, path or "", plain=plain or textconv, named=not textconv)
    return EXIT_OK if textconv else status


def _trees(found: Sequence[Viewable], path: str, *, plain: bool, named: bool) -> int:
    status = EXIT_OK
    with tree_lines.screen(plain=plain) as put:
        for number, opened in enumerate(found):
            if number:
                put(tree_lines.TreeLine(0, ()))
            place = entry_path.parse(path, bare=isinstance(opened, HiveFile))
            for line in tree_view.lines(opened, place):
                bad = any(style == "bad" for style, _ in line.parts)
                status = max(status, EXIT_STALE if bad else EXIT_OK)
                put(line if named or line.level else line._replace(parts=line.parts[1:]))
    return status


def _json(found: Sequence[Viewable], path: str) -> int:
    made = inspect_json.Document()
    console.say_json(made.of([(each, entry_path.parse(path, bare=isinstance(each, HiveFile))) for each in found]))
    return EXIT_STALE if made.damaged else EXIT_OK


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
        raise GeneratorError(f"{found[0].name if found else 'inspect'}: no BCD store is in it; leave out --bcd")
    return EXIT_OK


def _hives(found: Sequence[Viewable]) -> Iterator[tuple[str, bytes]]:
    """Yield the hives of all that was opened, each with its name."""
    for opened in found:
        if isinstance(opened, HiveFile):
            yield opened.name, opened.data
            continue
        for layer in opened.layers if isinstance(opened, UnpackedImage) else (opened,):
            for entry in layer.entries:
                if layer.is_hive(entry):
                    yield f"{layer.name}: {visible(entry.name)}", layer.content(entry)[:]


def _one(found: Sequence[Viewable], option: str, path: str) -> UnpackedLayer | HiveFile:
    """Return the one layer or hive that an *option* is about; of images, the layer that alone has *path*."""
    if len(found) == 1 and not isinstance(found[0], UnpackedImage):
        return found[0]
    images = [each for each in found if isinstance(each, UnpackedImage)]
    if not images or len(images) < len(found):
        raise GeneratorError(f"inspect: {option} is about one layer or hive; name one")
    # Images of several platforms may share a layer.
    layers = {layer.digest: layer for image in images for layer in image.layers}
    place = entry_path.parse(path, bare=False)
    having = [layer for layer in layers.values() if not place.path or place.entries(layer.entries)]
    if not having:
        raise entry_path.absent(images[0].name, place, [entry for layer in layers.values() for entry in layer.entries])
    if len(having) > 1:
        raise GeneratorError(
            f"{images[0].name}: {option} is about one layer, and {len(having):,} layers have {path!r}; name an entry "
            "that one layer alone has, or a layer as a file, such as DIR/blobs/sha256/… of an OCI layout"
        )
    return having[0]


def _hive_at(opened: UnpackedLayer | HiveFile, place: EntryPath) -> tuple[bytes, int]:
    """Return the hive that *place* is in, and where in the file it begins."""
    if isinstance(opened, HiveFile):
        return opened.data, 0
    hives = [entry for entry in place.entries(opened.entries) if opened.is_hive(entry)]
    if len(hives) != 1:
        raise GeneratorError(f"{opened.name}: {place.path or '.'} is no registry hive; name one of its entries")
    return opened.content(hives[0])[:], hives[0].offset


def _reg(found: Sequence[Viewable], path: str) -> int:
    opened = _one(found, "--reg", path)
    place = entry_path.parse(path, bare=isinstance(opened, HiveFile))
    reading = read(_hive_at(opened, place)[0], keys=True)
    parts = regfile.export(reading.hive, place.key or ())
    if parts is None:
        raise GeneratorError(f"{opened.name}: has no key {chr(92).join(place.key or ())!r}")
    text = b"".join(parts)
    if sys.stdout is not None and sys.stdout.isatty():
        for line in text.decode("utf-8", "backslashreplace").split("\n")[:-1]:
            console.say(Verbatim(printable(line)))
    else:
        console.say_bytes(text)
    damage = [finding for finding in reading.findings if finding.level == Level.REFUSED]
    for finding in damage:
        console.note(f"{opened.name}: {finding.level}: {finding.message}")
    return EXIT_STALE if damage else EXIT_OK


def _hex(found: Sequence[Viewable], path: str, offset: int | None, length: int | None, *, plain: bool) -> int:
    opened = _one(found, "--hex", path)
    place = entry_path.parse(path, bare=isinstance(opened, HiveFile))
    data = opened.data if isinstance(opened, HiveFile) else opened.tar
    regions = Regions(data, lazy=True)
    start = 0  # of the file that offsets count from
    if place.key is not None:
        hive, start = _hive_at(opened, place)
        nodes = [node for node in Visit(hive).nodes(place.key) if len(node.path) == len(place.key)]
        if not nodes:
            raise GeneratorError(f"{opened.name}: has no key {chr(92).join(place.key)!r}")
        ranges = hexdump.of_key(regions, start, nodes[0].at)
    elif isinstance(opened, UnpackedLayer) and place.path:
        entries = [entry for entry in place.entries(opened.entries) if entry.kind == FILE]
        if not entries:
            raise GeneratorError(f"{opened.name}: has no file {place.path!r}")
        ranges = [(entry.offset, min(entry.offset + entry.size, len(data))) for entry in entries]
        start = ranges[0][0] if len(ranges) == 1 else 0
    else:
        ranges = [(0, len(data))]
    end = ranges[-1][1] - start
    if offset and offset >= end:
        raise GeneratorError(f"{opened.name}: --offset 0x{offset:x} is beyond {path!r}, which ends at 0x{end:x}")
    chosen = _cut(ranges, start + (offset or 0), length)
    row = 8 if (tree_lines.columns(plain=plain) or 110) < 110 else 16
    with tree_lines.screen(plain=plain) as put:
        tree_lines.put_all(hexdump.dump(regions, chosen, row, start), put)
    if regions.damage:
        console.note(f"{opened.name}: {regions.damage}")
    return EXIT_STALE if regions.damage else EXIT_OK


def _cut(ranges: Sequence[tuple[int, int]], first: int, length: int | None) -> list[tuple[int, int]]:
    """Return what of *ranges* is at byte *first* or behind it, *length* bytes of it."""
    left, cut = length, []
    for start, end in ranges:
        begin = max(start, first)
        size = max(end - begin, 0) if left is None else min(left, max(end - begin, 0))
        left = None if left is None else left - size
        if size:
            cut.append((begin, begin + size))
    return cut


def _number(option: str, text: str | None) -> int | None:
    """Return what an option says in decimal, or in hexadecimal behind 0x."""
    if not text:
        return None
    try:
        number = int(text, 16 if text[:2].lower() == "0x" else 10)
    except ValueError:
        number = -1
    if number < 0 or len(text) > 18:
        raise GeneratorError(f"inspect: {option} {text!r} is no number of bytes; give it as 4096 or 0x1000")
    return number
