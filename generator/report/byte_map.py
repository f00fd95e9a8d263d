# SPDX-License-Identifier: Apache-2.0
"""Draw the byte map of a BCD store as SVG: a cell for each byte, in colours and patterns, for light or dark.

A row has 64 bytes; consecutive rows of zeros in one structure are folded into one bar with their length. Text is
readable where pages show the picture, 600 pixels wide.
"""

from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from ..views.regions import GROUPS, Regions
from .colours import FADED, INK, LOOKS, PAPER
from .render import render

_COLUMNS: Final = 64
_CELL: Final = 8  # pixels if unscaled; all tops are multiples of it, as patterns repeat by it
_BAR: Final = 24
_LEFT: Final = 56  # for offsets
_WIDTH: Final = _LEFT + _COLUMNS * _CELL + 16
_LEGEND: Final = 24  # height of a row of the legend
_PER_ROW: Final = 5  # entries of the legend
_APART: Final = 108  # width of an entry of the legend
_LEAST_FOLDED: Final = 2  # rows
_LEAST_APART: Final = 16  # between labels


def byte_map(templates: Path, name: str, regions: Regions, *, dark: bool) -> bytes:
    """Return the SVG of a part of the tar called *name*, rendered by the template in the directory *templates*."""
    what, part = _shown(name, regions)
    here = {region.group for region in regions if region.offset in part}
    used = [group for group in GROUPS if group in here]
    cells: dict[tuple[int, bool], list[str]] = defaultdict(list)
    labels: list[tuple[int, int]] = []  # offsets, each with its top
    bars: list[dict[str, Any]] = []
    top = (len(used) + _PER_ROW - 1) // _PER_ROW * _LEGEND + _CELL
    for start, size, folded in _rows(regions, part):
        if folded is None:
            for group, zero, at, length in _runs(regions, start, size):
                run = f"M{_LEFT + (at - start) * _CELL} {top}h{length * _CELL}v{_CELL}h-{length * _CELL}z"
                cells[used.index(group), zero].append(run)
            if not labels or top >= labels[-1][1] + _LEAST_APART:
                labels.append((start - part.start, top + _CELL + 2))
            top += _CELL
        else:
            region = regions[folded]
            text = f"{size:,} zero bytes, {region.structure.name}"
            labels.append((start - part.start, top + _BAR - 7))
            bars.append({"top": top, "group": used.index(region.group), "text": text})
            top += _BAR
    context = {
        "title": f"The {len(part):,} bytes of the {what}, coloured by structure",
        "size": (_WIDTH, top + _CELL),
        "cell": _CELL,
        "left": _LEFT,
        "bar_width": _COLUMNS * _CELL,
        "bar_height": _BAR - 2,
        "ink": INK[dark],
        "paper": PAPER[dark],
        "faded": FADED,
        "groups": [(group, LOOKS[group].dark if dark else LOOKS[group].light, LOOKS[group].pattern) for group in used],
        "places": [(_LEFT + i % _PER_ROW * _APART, i // _PER_ROW * _LEGEND) for i in range(len(used))],
        "labels": labels,
        "bars": bars,
        "cells": [(group, zero, "".join(runs)) for (group, zero), runs in sorted(cells.items())],
    }
    return render(templates, "map.svg.jinja", context)


def _shown(name: str, regions: Regions) -> tuple[str, range]:
    """Return name and bytes of the BCD store in the layer *name*, or of the whole layer if it has none."""
    for entry in regions.entries:
        if entry.reading and entry.path.endswith("/BCD"):
            return f"BCD store in the layer {name}", range(entry.content, entry.content + entry.size)
    return f"layer {name}", range(len(regions.data))


def _rows(regions: Regions, part: range) -> Iterator[tuple[int, int, int | None]]:
    """Yield the first byte of each row, its number of bytes, and the index of its region if it is folded."""
    data = regions.data
    at = part.start
    while at < part.stop:
        number = regions.index(at)
        inside = data[at : regions[number].offset + regions[number].length]
        whole = (len(inside) - len(inside.lstrip(b"\0"))) // _COLUMNS
        if whole >= _LEAST_FOLDED:
            yield at, whole * _COLUMNS, number
            at += whole * _COLUMNS
        else:
            yield at, min(_COLUMNS, part.stop - at), None
            at += _COLUMNS


def _runs(regions: Regions, at: int, size: int) -> Iterator[tuple[str, bool, int, int]]:
    """Yield the runs of bytes of a row that look the same: group, whether they are zeros, first byte, length."""
    data = regions.data[at : at + size]
    for look, run in groupby((regions.at(i).group, not byte) for i, byte in enumerate(data, at)):
        length = sum(1 for _ in run)
        yield *look, at, length
        at += length
