# SPDX-License-Identifier: Apache-2.0
"""Whatever `image` makes, `check-image` accepts; what it would refuse, `image` refuses in one line."""

import contextlib
import os
import random
from pathlib import Path
from typing import Any, get_args

import pytest
from helpers.counts import count
from helpers.image_checks import checked
from helpers.layer_runs import fill, make

from generator.base.errors import GeneratorError
from generator.image import Options
from generator.image import make as make_image
from generator.runtime.model import Rule

TREES = count(120, 6_000)
# Trees of relative links above C:, and of a directory in place of a file of the layer below.
SEEDS = (1756, 18_905, 4854, 3467)
# Rules of docs/check-image.md.
UNUSUAL = {"descriptor-missing", "files-twice", "hive-on-top", "placeholder-name", "link-name"}
# Of settings that `image` warns about.
START = {*get_args(Rule)}
NAMES = (
    "a", "A", "b", "ä", "ß", "🦀", "app", "App", "x.dll", "Files", "Hives", "UtilityVM", "Windows", "System32",
    "config", "SYSTEM", "system_delta", "a.$wcidirs$", "App.$WCIDIRS$", "Program Files", "n" * 245, "N" * 255,
    "🦀" * 60, "\u0130", "\u017f", "ǆ", "-", "'", "%PATH%", "LONGNA~1", "\u2215", "\u200b", "$Extend",
    ".a", "c d", "\ufeff", "\U0010ffff",
)  # fmt: skip
BAD_NAMES = (
    ".wh.a", ".wh..wh..opq", "con", "nul.txt", "x ", "y.", "a:b", "n" * 246, os.fsdecode(b"\xff"), "a\nb", "a\\b",
    "...",
)  # fmt: skip
TARGETS = (
    *NAMES[:14], "/", "\\", "C:", "c:\\app", "D:\\a", "..", "../a", "..\\..\\a", "a/b", "app/x.dll", "/Files/app",
    "C:\\Windows\\System32", "\\\\?\\C:\\app", "//a/b", "a/../b", "./a", "t" * 4087, "Hives", "../Hives", "/../Hives",
    "../Files/app", "Files/../a", "C:\\..\\UtilityVM", "a\\b\\a", "App/.", "b/a/../..", "C:a", "/c:/a", "app:x",
)  # fmt: skip
BAD_TARGETS = ("Files/a", "a?", "a|b", "t" * 4088, "Files")
DESTS = ("", "C:\\", "C:\\app", "/App/", "C:\\Windows\\System32\\config", "Files", "C:\\" + "d\\" * 40)


def grow(top: Path, chosen: random.Random) -> None:
    """Fill *top* with a random tree."""
    folders, files = [top], []
    top.mkdir()
    for _ in range(chosen.randrange(14)):
        path = chosen.choice(folders) / chosen.choice(NAMES if chosen.random() < 0.98 else BAD_NAMES)
        kind = chosen.choice(("folder", "file", "file", "link", "link", "name"))
        try:
            if kind == "folder":
                path.mkdir()
                folders.append(path)
            elif kind == "file":
                path.open("xb").write(chosen.randbytes(chosen.choice((0, 1, 511, 512, 5000))))
                files.append(path)
            elif kind == "link":
                path.symlink_to(chosen.choice(TARGETS if chosen.random() < 0.97 else BAD_TARGETS))
            elif files:
                os.link(chosen.choice(files), path)
            os.utime(
                path,
                ns=(0, chosen.choice((0, -1, 1_600_000_000_123_456_789, -(10**18), 10**18))),
                follow_symlinks=False,
            )
        except (OSError, ValueError):  # it is there, or cannot be on this system
            continue


def options(chosen: random.Random) -> dict[str, Any]:
    """Return random options of an image."""
    given: dict[str, tuple[Any, ...]] = {
        "layer": ("hostprocess", "scratch"),  # check-image refuses legacy
        "one_layer": (False, True),
        "exclude": ((), ("a",), ("**/a", "!app/a"), ("*",)),
        "security": ("users-read", "none", "user-owned", "O:BAG:SYD:PAI(A;OICI;FA;;;BA)", "D:"),
        "times": ("fixed", "keep"),
        "compression": ("fast", "none"),
        "platform": ((), ("windows/amd64",), ("windows/arm64", "windows/amd64:10.0.20348"), ("windows/arm:1.2.3",)),
        "env": ({}, {"Path": "C:\\a", "ÄÖ": ""}),
        "label": ({}, {"ä": "\u2028"}, {"x": "\0"}),
        "user": ("", "ContainerUser"),
        "workdir": ("", "C:\\app", "/a/b"),
        "expose": ((), ("80", "53/udp")),
        "entrypoint": ((), ("a",), ("C:\\app\\x.dll", "-v")),
        "cmd": ((), ("", "b")),
    }
    return {name: chosen.choice(values) for name, values in given.items()}


@pytest.mark.parametrize("part", range(4))
def test_check_image_accepts_every_image_of_random_trees_and_options(part: int, tmp_path: Path) -> None:
    made = 0
    for seed in {SEEDS[part], *range(part, TREES, 4)}:
        chosen = random.Random(seed)  # noqa: S311 - to be the same each time
        folder = tmp_path / str(seed)
        folder.mkdir()
        sources = []
        for number in range(chosen.choice((1, 1, 2, 3))):
            grow(folder / f"in{number}", chosen)
            sources.append(f"{folder}/in{number}{(dest := chosen.choice(DESTS)) and ':'}{dest}")
        given = options(chosen)
        notes: list[str] = []
        with contextlib.suppress(GeneratorError):  # which test_layer_refusals.py has tests of
            make_image(Options(source=tuple(sources), to=(f"oci:{folder}/out",), **given), note=notes.append)
            made += 1
        if not (folder / "out").exists():
            continue
        _, report = checked(f"oci:{folder}/out")
        findings = [finding for image in report for finding in image["findings"]]
        assert {finding["rule"] for finding in findings} <= UNUSUAL | START, (seed, report)
        assert any("warning: " in line for line in notes) >= any(each["level"] == "refused" for each in findings), seed
    assert made > TREES // 16


def refused(tmp_path: Path, *sources: Path | tuple[Path, str], **options: Any) -> str:
    with pytest.raises(GeneratorError) as error:
        make(tmp_path / f"refused-{os.urandom(4).hex()}", *sources, cache=False, **options)
    return str(error.value)


@pytest.mark.parametrize(("name", "longer"), [("n" * 245, "n" * 246), ("🦀" * 122, "🦀" * 123)])
def test_a_directory_with_a_name_of_more_than_245_units_is_refused(name: str, longer: str, tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", ["x"])
    line = refused(tmp_path, (folder, f"C:\\{longer}"))
    assert "245" in line
    assert len(line) < 600
    make(tmp_path / "shorter", (folder, f"C:\\{name}"))
    make(tmp_path / "file", (folder / "x", f"C:\\{longer}"))


def test_a_link_to_a_directory_with_a_name_of_more_than_245_units_is_refused(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", ["x/"])
    (folder / ("n" * 246)).symlink_to("nothing")
    make(tmp_path / "out", folder)
    (folder / ("n" * 247)).symlink_to("x")
    assert "the name is longer than 245 UTF-16 units" in refused(tmp_path, folder)


def test_a_path_of_more_than_32756_units_is_refused(tmp_path: Path) -> None:
    """``Files/`` has six of them. The importer needs ten more beside each directory, of 32,766."""
    source = fill(tmp_path / "in", ["x"]) / "x"
    start = "/".join(["d" * 199] * 163) + "/"  # 32,600 units
    make(tmp_path / "out", (source, start + "d" * 148 + "/x"))
    line = refused(tmp_path, (source, start + "d" * 149 + "/x"))
    assert "the path is longer than 32,756 UTF-16 units; hint" in line
    assert len(line) < 600


@pytest.mark.parametrize("kind", ["directory", "link"])
def test_the_placeholder_of_a_directory_is_refused(kind: str, tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", ["Name.$WCIDIRS$", "real/"])
    make(tmp_path / "alone", folder)
    if kind == "directory":
        (folder / "nAME").mkdir()
    else:
        (folder / "nAME").symlink_to("real")
    line = refused(tmp_path, folder)
    assert line.startswith(f"{folder}/Name.$WCIDIRS$: Windows writes a file of that name beside each directory")


def test_a_layer_that_the_check_takes_for_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("generator.image.layers.most_unpacked", lambda size: 200 * size)  # from 1 GiB on
    folder = fill(tmp_path / "in", ["x"])
    os.truncate(folder / "x", 1 << 20)
    line = refused(tmp_path, folder)
    assert line.startswith(f"{folder}/x: with the rest of its layer ")
    assert line.endswith(" bytes, which check-image takes for a decompression bomb; hint: --compression none")
    make(tmp_path / "out", folder, compression="none")
