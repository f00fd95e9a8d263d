# SPDX-License-Identifier: Apache-2.0
"""The rules of check-image, each with the smallest image that breaks it."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from generator.imagecheck.rules import RULES

from .image_indexes import INDEX, archived, docker
from .import_rules import ROWS
from .layouts import ROOTS, Layout, Part, base, directory, tarred
from .odd_layers import raw, sparse
from .rule_documents import DOCUMENTS, TAR
from .rule_layers import BASES, BROKEN, ON_TOP, folders_of, on_top
from .rule_starts import APP, NO_WINDOWS, WRONG

Example = Callable[[Path], str]
"""Makes an image in a folder, and returns its name for check-image."""

LONGEST = 1_000_000  # characters of a name; a PAX header has 1 MiB at most


def rows() -> Iterable[list[str]]:
    """Yield each rule, its level, what it demands, and its source, below a row of headings."""
    yield ["rule", "level", "what", "source"]
    for name, rule in RULES.items():
        yield [name, str(rule.level), rule.text, rule.source]


def _changed(change: Callable[[Layout], None]) -> Example:
    def make(folder: Path) -> str:
        layout = Layout(folder, [base(), TAR])
        change(layout)
        return layout.write()

    return make


def _layers(make: Callable[[], Iterable[bytes]]) -> Example:
    return lambda folder: Layout(folder, list(make())).write()


def _lowest(parts: list[Part]) -> Example:
    return lambda folder: Layout(folder, [tarred(parts)]).write()


def _on_top(*parts: Part) -> Example:
    return lambda folder: on_top(folder, *parts).write()


def _started(settings: dict[str, Any], *, base_layer: str = "hostprocess") -> Example:
    def make(folder: Path) -> str:
        layout = Layout(folder, [base(base_layer), tarred(APP)])
        layout.config["config"] = settings
        return layout.write()

    return make


def _nested(folder: Path) -> str:
    """Make a layout whose index leads to its image through four more indexes."""
    layout = Layout(folder, [base()])
    layout.write()
    for _ in range(4):
        index = {"schemaVersion": 2, "manifests": layout.index["manifests"]}
        layout.index["manifests"] = [Layout.point(layout.blob(json.dumps(index).encode()).read_bytes(), INDEX)]
    return layout.write()


def _two_faced(folder: Path) -> str:
    """Make an archive whose manifest.json names fewer layers than its index.json."""
    layout = Layout(folder / "image", [base(), tarred(ROOTS)])
    layout.write()
    config, lowest = layout.manifest["config"]["digest"], layout.manifest["layers"][0]["digest"]
    return archived(layout, folder / "x.tar", docker(config, [lowest]))


def _examples() -> dict[str, Example]:
    """Return the first image of each rule in the tables of layers and documents, and some of no table."""
    found: dict[str, Example] = {
        "index": _nested,
        "two-faces": _two_faced,
        "bomb": _layers(raw(sparse(("map", "0,1"), ("numblocks", "1"), ("size", str(1 << 62)), data=b"x"))),
        "entries": _on_top(*(directory(f"{at}" + "x" * LONGEST) for at in range(70))),
        "root-missing": _layers(lambda: [base(), tarred([])]),
    }
    for rule, change in DOCUMENTS:
        found.setdefault(rule, _changed(change))
    for rule, several in BROKEN.items():
        found.setdefault(rule, _on_top(*several[0]))
    for rule, parts, _ in BASES:
        found.setdefault(rule, _lowest(parts))
    for rule, name, data, good in ON_TOP:
        if not good:
            found.setdefault(rule, _on_top(*folders_of(name), Part(name, data)))
    for rule, settings in WRONG:
        found.setdefault(rule, _started(settings))
    found[NO_WINDOWS] = _started({"Entrypoint": ["run.exe"]}, base_layer="scratch")
    for row in ROWS:
        if len(row.rules) == 1:
            found.setdefault(row.rules[0], _layers(row.layers))
    return found


EXAMPLES = _examples()
