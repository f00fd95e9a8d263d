# SPDX-License-Identifier: Apache-2.0
"""The names of copies: those that follow from the destination, and those that are refused."""

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.support import need
from helpers.vendoring import each, listing, options_of, refused, written

from generator.builder.wire import ROOT
from generator.generation import manifest
from generator.languages.go import SKIPPED_ENDINGS
from generator.languages.language import LAYER, ModuleOptions
from generator.languages.table import LANGUAGES

pytestmark = pytest.mark.usefixtures("place")


@pytest.mark.parametrize(
    ("folder", "package"),
    [
        ("layers", "layers"),
        ("Go-Scratch.d", "goscratchd"),
        ("v2_x", "v2_x"),
        ("2nd", "nd"),
        ("func", "windowsscratch"),
        ("...", "windowsscratch"),
        ("überlayer", "berlayer"),
    ],
)
def test_go_package_follows_from_the_directory(folder: str, package: str) -> None:
    written("go", "scratch", folder + "/")
    assert options_of(f"{folder}/windows_scratch.go") == ModuleOptions(package, "WindowsScratch")


def test_go_names_do_not_depend_on_what_was_vendored_before(place: Path) -> None:
    """In every order of three modules, in a package named for one of them and in another: each has the same names."""
    found: dict[str, set[tuple[ModuleOptions, ...]]] = {"scratch": set(), "layers": set()}
    for package, seen in found.items():
        for number, order in enumerate(itertools.permutations(("files", "legacy", "scratch"))):
            folder = place / str(number) / package
            for name in order:
                written("go", name, f"{folder}/")
            seen.add(tuple(options_of(folder / f"windows_{name}.go") for name in sorted(order)))
    names = ("WindowsFiles", "WindowsLegacy", "WindowsScratch")
    assert found["layers"] == {tuple(ModuleOptions("layers", name) for name in names)}
    assert found["scratch"] == {tuple(ModuleOptions("scratch", name) for name in (*names[:2], ""))}


def test_go_package_and_prefix_follow_from_the_files_that_are_there(place: Path) -> None:
    (place / "other.go").write_text("/* package not */ // package nor\n\npackage  there // really\n")
    (place / "other_test.go").write_text("package there_test\n")
    (place / "gen.go").write_text("//go:build ignore\n\npackage main\n")
    written("go", "legacy", ".")
    assert options_of("windows_legacy.go") == ModuleOptions("there", "WindowsLegacy")


@pytest.mark.parametrize(
    ("text", "package"),
    [
        ("\ufeff// a\n/* package b */ package /* c */ one // d\n", "one"),
        ("package one", "one"),
        ("/* package one", "d"),
        ("/*/ package one", "d"),
        ("packages one", "d"),
        ("//go:build ignore\n\npackage one\n", "d"),
    ],
)
def test_go_package_is_read_past_comments(text: str, package: str) -> None:
    Path("d").mkdir()
    Path("d/a.go").write_text(text, "utf-8")
    written("go", "scratch", "d/x.go")
    assert options_of("d/x.go").package == package


@pytest.mark.parametrize("unit", ["/* ", "// ", "/**/", "\n", "//go:build ", "/*"])
def test_a_go_file_made_to_take_for_ever_takes_no_time(unit: str, place: Path) -> None:
    (place / "d").mkdir()
    (place / "d/a.go").write_text(unit * 300_000, "utf-8")
    command = [sys.executable, "-B", "-m", "generator", "vendor", "go", "scratch", str(place / "d"), "--dry-run"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "would write" in done.stdout


def test_go_directory_with_two_packages_asks_which(place: Path) -> None:
    (place / "a.go").write_text("package a\n")
    (place / "b.go").write_text("package b\n")
    assert "holds the packages a, b; hint: say which with --package" in refused("go", ".")
    written("go", "scratch", ".", package="b")
    assert options_of("windows_scratch.go") == ModuleOptions("b", "WindowsScratch")


def test_c_names_follow_from_the_file() -> None:
    for ending in (".c", ".h"):
        written("c", "scratch", "base-layer" + ending, force=True)
        assert options_of("base-layer.h") == options_of("base-layer.c") == ModuleOptions("base-layer", "base_layer")
    assert '#include "base-layer.h"' in Path("base-layer.c").read_text()
    written("c", "scratch", "third.c", prefix="Base3")
    assert "#ifndef BASE3_H" in Path("third.h").read_text()
    assert "Base3_layer[" in Path("third.h").read_text()


def test_python_package_names_the_file() -> None:
    written("python", "scratch", ".", package="base")
    assert options_of("base.py") == ModuleOptions("base")
    written("python", "scratch", "base.py", package="base")
    assert "leave one out" in refused("python", "other.py", package="base")


def test_vendoring_again_keeps_the_recorded_names() -> None:
    written("go", "scratch", "p/x.go", package="kept", prefix="Kept", compat="imgutil")
    assert written("go", "scratch", "p/x.go") == ["unchanged: p/x.go"]
    written("go", "legacy", "p/x.go", prefix="Other")
    assert options_of("p/x.go") == ModuleOptions("kept", "Other", "imgutil")
    written("go", "legacy", "p/x.go", prefix="", compat="")
    assert options_of("p/x.go") == ModuleOptions("kept", "", "")
    written("c", "scratch", "x.c", prefix="kept")
    written("c", "legacy", "x.h")
    assert options_of("x.c") == ModuleOptions("x", "kept")


def test_two_copies_with_one_interface_in_one_package_are_refused(place: Path) -> None:
    written("go", "scratch", "layer/", compat="imgutil")
    kept = "windows_scratch.go: this package has the names of --compat imgutil already; hint: use another directory"
    for options in each({}, {"force": True}, {"dry_run": True}):
        assert refused("go", "layer/", name="legacy", compat="imgutil", **options) == f"layer/{kept}"
    assert listing("layer") == ["windows_scratch.go"]
    written("go", "legacy", "layer/")
    assert refused("go", "layer/windows_legacy.go", name="legacy", compat="imgutil") == f"layer/{kept}"
    written("go", "scratch", "layer/windows_scratch.go", compat="imgutil")
    written("go", "legacy", "layer/", compat="imgutil", package="other")
    written("go", "legacy", "elsewhere/", compat="imgutil")
    os.truncate(place / "layer/windows_scratch.go", 20 << 30)
    assert "larger than 67,108,864 bytes" in refused("go", "layer/x.go", compat="imgutil", package="layer")


@pytest.mark.parametrize(
    "name", ["class", "None", "a-b", "2b", "a b", "é", "x" * 49, "json", "a.b", "../x", "a/b", "x;import os", ""]
)
def test_wrong_python_names(name: str) -> None:
    assert "use --package" in refused("python", ".", package=name)
    assert listing() == []


@pytest.mark.parametrize(
    "name", ["func", "_", "init", "documentation", "a-b", "2b", "é", "x_test", "x" * 49, "a\nb", ""]
)
def test_wrong_go_packages(name: str) -> None:
    message = refused("go", ".", package=name)
    assert message.endswith("use --package")
    assert "\n" not in message
    assert listing() == []


@pytest.mark.parametrize("prefix", ["lower", "_X", "A-b", "É", "X" * 49, 'X"'])
def test_wrong_go_prefixes(prefix: str) -> None:
    assert refused("go", ".", prefix=prefix).endswith("use --prefix")


@pytest.mark.parametrize(
    "prefix", ["int", "co_await", "_x", "_X", "a__b", "a_", "1a", "a-b", "é", "x" * 49, "typeof", ""]
)
def test_wrong_c_prefixes(prefix: str) -> None:
    assert refused("c", ".", prefix=prefix).endswith("use --prefix")
    assert listing() == []


@pytest.mark.parametrize(
    ("language", "destination", "options", "message"),
    [
        ("cobol", ".", {}, f"cobol: unknown language; hint: use one of {', '.join(LANGUAGES)}"),
        ("c", ".", {"package": "x"}, "--package: means nothing in c; hint: leave it out"),
        ("c", ".", {"compat": "imgutil"}, "--compat: means nothing in c; hint: leave it out"),
        ("python", ".", {"prefix": "x"}, "--prefix: means nothing in python; hint: leave it out"),
        ("go", ".", {"compat": "moby"}, "--compat moby: unknown interface; hint: use imgutil"),
        ("go", "x.py", {}, "x.py: a go module ends in .go; hint: end a new directory in /"),
        ("c", "x.cpp", {}, "x.cpp: a c module ends in .h or .c; hint: end a new directory in /"),
        (
            "go",
            "x_test.go",
            {},
            "x_test.go: go build skips files so named, on some systems or all; hint: choose another name",
        ),
        ("c", "a b.c", {}, "a b: not a plain file name; hint: end DEST in letters, digits, _ . + and -"),
        ("c", "switch.c", {}, "switch: invalid prefix of C names: the language reserves that word; hint: use --prefix"),
    ],
)
def test_wrong_options_are_one_clear_line(
    language: str, destination: str, options: dict[str, str], message: str
) -> None:
    if destination == "a b.c":
        options = {"prefix": "a"}
    assert refused(language, destination, **options) == message
    assert listing() == []


def test_an_empty_destination_is_refused(place: Path) -> None:
    assert refused("python", "") == "DEST: empty; hint: name a file, or a directory such as ./"
    assert list(place.iterdir()) == []


def test_an_unknown_layer_is_refused() -> None:
    names = [*manifest.layers(ROOT), *(kind for kind in LANGUAGES["go"].modules if kind != LAYER)]
    assert refused("go", ".", name="nano") == f"nano: unknown layer; hint: use one of {', '.join(names)}"
    assert "unknown layer" in refused("go", ".", name="../layers/scratch")


@pytest.mark.parametrize("name", ["base_windows.go", "a_b_arm64.go", "_x.go", ".x.go", "x_linux_test.go"])
def test_go_files_that_go_would_skip_are_refused(name: str) -> None:
    assert "go build skips files so named" in refused("go", name)
    written("go", "scratch", "windows.go")


def test_the_endings_that_go_skips_are_those_of_the_go_that_is_here() -> None:
    root = subprocess.run([need("go"), "env", "GOROOT"], capture_output=True, text=True, check=True).stdout.strip()
    text = "".join(path.read_text("utf-8") for path in Path(root, "src").glob("*/*/syslist.go"))  # it has moved
    assert set(re.findall(r'"(\w+)":', text)) <= SKIPPED_ENDINGS
