# SPDX-License-Identifier: Apache-2.0
"""Layers are read for what ties them to the base below; damage is one line."""

import tarfile
from pathlib import Path

import pytest
from helpers import layouts
from helpers.layouts import ROOTS, Layout, Part, directory, tarred

from generator.base.errors import GeneratorError
from generator.compose.ties import ties
from generator.imageread.images import images

FILES = [*ROOTS, directory("Files/app"), Part("Files/app/a.txt", b"a")]


def found(tmp_path: Path, *layers: list[Part]) -> list[str]:
    """Return the ties of *layers* on the base layer."""
    name = Layout(tmp_path, [layouts.base(), *map(tarred, layers)]).write()
    with images(name) as (image,):
        return [line.partition(": ")[2] for line in ties(image.layers[1:], image.name)]


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (Part("Hives/System_Delta", b"regf"), "a change of the old base's registry"),
        (Part("hives/x"), "a change of the old base's registry"),
        (directory("Hives/folder"), "a change of the old base's registry"),
        (Part("./Hives/x"), "a change of the old base's registry"),
        (Part("Hives\\x"), "a change of the old base's registry"),
        (Part("Files/../Hives/x"), "a change of the old base's registry"),
        (Part(".wh.UtilityVM"), "a change of the old base's utility VM"),
        (directory("UtilityVM"), "a change of the old base's utility VM"),
        (Part("UtilityVM/Files/x"), "a change of the old base's utility VM"),
        (
            Part("Files/link", b"", tarfile.LNKTYPE, "Files/Windows/notepad.exe"),
            "a hard link to a file of the old base, 'Files/Windows/notepad.exe'",
        ),
    ],
)
def test_each_kind_of_tie_is_found(part: Part, reason: str, tmp_path: Path) -> None:
    assert found(tmp_path, [*FILES, part]) == [f"{part.name!r}: {reason}"]


def test_links_within_the_layers_above_are_no_ties(tmp_path: Path) -> None:
    own = [*FILES, Part("Files/app/b.txt", b"", tarfile.LNKTYPE, "Files/app/a.txt")]
    own += [Part("./Files/app/d.txt"), Part("Files/app/e.txt", b"", tarfile.LNKTYPE, "Files\\app\\d.txt")]
    higher = [*ROOTS, Part("Files/c.txt", b"", tarfile.LNKTYPE, "Files/APP/b.txt")]
    assert found(tmp_path, own, higher) == []


def test_hives_where_a_layer_on_top_has_no_effect_are_no_ties(tmp_path: Path) -> None:
    folders = [directory(f"Files/{name}") for name in ("Windows", "Windows/System32", "Windows/System32/config")]
    hives = [Part(f"Files/Windows/System32/config/{name}", b"regf") for name in ("SOFTWARE", "SYSTEM")]
    assert found(tmp_path, [*ROOTS, *folders, *hives]) == []


def test_a_link_to_what_comes_later_is_a_tie(tmp_path: Path) -> None:
    assert len(found(tmp_path, [*ROOTS, Part("Files/b", b"", tarfile.LNKTYPE, "Files/a"), Part("Files/a")])) == 1


def test_a_link_to_what_its_layer_removes_is_a_tie(tmp_path: Path) -> None:
    assert len(found(tmp_path, [*ROOTS, Part("Files/.wh.a"), Part("Files/b", b"", tarfile.LNKTYPE, "Files/a")])) == 1


def test_each_layer_has_one_line(tmp_path: Path) -> None:
    layer = [*ROOTS, Part("Hives/a"), Part("Hives/b")]
    assert found(tmp_path, layer, [*layer, Part("Hives/c")]) == ["'Hives/a': a change of the old base's registry"] * 2


@pytest.mark.parametrize("harm", ["short", "long", "other", "no tar", "other diff ID", "gone"])
def test_a_damaged_layer_is_refused_in_one_line(harm: str, tmp_path: Path) -> None:
    layout = Layout(tmp_path, [layouts.base(), tarred(FILES)])
    if harm == "other diff ID":
        layout.config["rootfs"]["diff_ids"][1] = layouts.sha256(b"")
    if harm == "no tar":
        layout = Layout(tmp_path, [layouts.base(), b"x" * 2000])
    name = layout.write()
    blob = layout.blobs[1]
    path = layout.blob(blob)
    changed = {"short": blob[:-20], "long": blob + b"x", "other": tarred([]) + blob[1024:]}
    path.write_bytes(changed.get(harm, blob))
    if harm == "gone":
        path.unlink()
    with images(name) as (image,), pytest.raises(GeneratorError, match=r"hint: winscratch check-image$"):
        list(ties(image.layers[1:], image.name))
