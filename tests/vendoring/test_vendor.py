# SPDX-License-Identifier: Apache-2.0
"""One copy, written where it goes: its names, what is refused, and all or nothing."""

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.support import HANG, INVOKE, need
from helpers.vendoring import each, options_of

from generator.base import files
from generator.base.errors import GeneratorError
from generator.generation import manifest, unchanged
from generator.generation.committed import committed_blob
from generator.languages import provenance
from generator.languages.go import SKIPPED_ENDINGS
from generator.languages.language import LAYER, Options
from generator.languages.table import LANGUAGES
from generator.vendoring import vendor

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("place")
LAYERS = manifest.layers(ROOT)


def write(language: str, name: str, destination: str, **options: str | bool | None) -> list[str]:
    said: list[str] = []
    assert vendor.vendor(ROOT, language, name, destination, say=said.append, **options) == 0  # type: ignore[arg-type]
    return said


def refused(language: str, destination: str, name: str = "scratch", **options: str | bool | None) -> str:
    with pytest.raises(GeneratorError) as caught:
        write(language, name, destination, **options)
    return str(caught.value)


def listing(folder: str = ".") -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


# Files and names that follow from the destination


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_default_names_in_a_directory(language: str, name: str) -> None:
    row = LANGUAGES[language]
    made = [f"new/folder/{row.stem(name, None)}{ending}" for ending in row.endings(name).values()]
    assert write(language, name, "new/folder") == [f"wrote {path}" for path in made]
    for path in made:
        found = provenance.read(Path(path).read_text("utf-8"))
        assert found is not None
        blob = committed_blob(ROOT, name)
        assert (found[1], found[0].layer, found[0].digest, found[0].diff_id) == (True, name, blob.digest, blob.diff_id)
        assert "\r" not in Path(path).read_bytes().decode("ascii")


def test_the_copy_is_the_committed_module_where_the_names_are_the_same(place: Path) -> None:
    write("python", "scratch", ".")
    write("c", "scratch", ".")
    for name in ("python/windows_scratch.py", "c/windows_scratch.h", "c/windows_scratch.c"):
        language, _, file = name.partition("/")
        template = {".py": "module.py.jinja", ".h": "module.h.jinja", ".c": "module.c.jinja"}[Path(file).suffix]
        expected = vendor.render(
            ROOT,
            language,
            "scratch",
            template,
            LANGUAGES[language].committed("scratch"),
            committed_blob(ROOT, "scratch"),
        )
        assert (place / file).read_text("utf-8") == expected


def test_a_copy_does_not_depend_on_time_or_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("go", "scratch", "a/x.go", package="p")
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "7")
    write("go", "scratch", str(tmp_path / "elsewhere" / "y.go"), package="p")
    assert Path("a/x.go").read_bytes() == (tmp_path / "elsewhere" / "y.go").read_bytes()


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
    write("go", "scratch", folder + "/")
    assert options_of(f"{folder}/windows_scratch.go") == Options(package, "")


def test_go_package_and_prefix_follow_from_the_files_that_are_there(place: Path) -> None:
    (place / "other.go").write_text("/* package not */ // package nor\n\npackage  there // really\n")
    (place / "other_test.go").write_text("package there_test\n")
    (place / "gen.go").write_text("//go:build ignore\n\npackage main\n")
    write("go", "legacy", ".")
    assert options_of("windows_legacy.go") == Options("there", "WindowsLegacy")


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
    write("go", "scratch", "d/x.go")
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
    assert "holds the packages a, b; say which with --package" in refused("go", ".")
    write("go", "scratch", ".", package="b")
    assert options_of("windows_scratch.go") == Options("b", "WindowsScratch")


def test_c_names_follow_from_the_file() -> None:
    for ending in (".c", ".h"):
        write("c", "scratch", "base-layer" + ending, force=True)
        assert options_of("base-layer.h") == options_of("base-layer.c") == Options("base-layer", "base_layer")
    assert '#include "base-layer.h"' in Path("base-layer.c").read_text()
    write("c", "scratch", "third.c", prefix="Base3")
    assert "#ifndef BASE3_H" in Path("third.h").read_text()
    assert "Base3_layer[" in Path("third.h").read_text()


def test_python_package_names_the_file() -> None:
    write("python", "scratch", ".", package="base")
    assert options_of("base.py") == Options("base")
    write("python", "scratch", "base.py", package="base")
    assert "leave one out" in refused("python", "other.py", package="base")


def test_vendoring_again_keeps_the_recorded_names() -> None:
    write("go", "scratch", "p/x.go", package="kept", prefix="Kept", compat="imgutil")
    assert write("go", "scratch", "p/x.go") == ["unchanged: p/x.go"]
    write("go", "legacy", "p/x.go", prefix="Other")
    assert options_of("p/x.go") == Options("kept", "Other", "imgutil")
    write("go", "legacy", "p/x.go", prefix="", compat="")
    assert options_of("p/x.go") == Options("kept", "", "")
    write("c", "scratch", "x.c", prefix="kept")
    write("c", "legacy", "x.h")
    assert options_of("x.c") == Options("x", "kept")


def test_two_copies_with_one_interface_in_one_package_are_refused(place: Path) -> None:
    write("go", "scratch", "layer/", compat="imgutil")
    kept = "windows_scratch.go: this package has the names of --compat imgutil already; use another directory"
    for options in each({}, {"force": True}, {"dry_run": True}):
        assert refused("go", "layer/", name="legacy", compat="imgutil", **options) == f"layer/{kept}"
    assert listing("layer") == ["windows_scratch.go"]
    write("go", "legacy", "layer/")
    assert refused("go", "layer/windows_legacy.go", name="legacy", compat="imgutil") == f"layer/{kept}"
    write("go", "scratch", "layer/windows_scratch.go", compat="imgutil")
    write("go", "legacy", "layer/", compat="imgutil", package="other")
    write("go", "legacy", "elsewhere/", compat="imgutil")
    os.truncate(place / "layer/windows_scratch.go", 20 << 30)
    assert "larger than 67,108,864 bytes" in refused("go", "layer/x.go", compat="imgutil", package="layer")


# Names that a language does not allow


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
        ("cobol", ".", {}, f"cobol: no such language; use one of {', '.join(LANGUAGES)}"),
        ("c", ".", {"package": "x"}, "--package: means nothing in c; leave it out"),
        ("c", ".", {"compat": "imgutil"}, "--compat: means nothing in c; leave it out"),
        ("python", ".", {"prefix": "x"}, "--prefix: means nothing in python; leave it out"),
        ("go", ".", {"compat": "moby"}, "--compat moby: no such interface; use imgutil"),
        ("go", "x.py", {}, "x.py: a go module ends in .go; end a new directory in /"),
        ("c", "x.cpp", {}, "x.cpp: a c module ends in .h or .c; end a new directory in /"),
        (
            "go",
            "x_test.go",
            {},
            "x_test.go: go build skips files so named, on some systems or all; choose another name",
        ),
        ("c", "a b.c", {}, "a b: not a plain file name; end DEST in letters, digits, _ . + and -"),
        ("c", "switch.c", {}, "switch: no prefix of C names: the language reserves that word; use --prefix"),
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
    assert refused("python", "") == "DEST: empty; name a file, or a directory, which . is too"
    assert list(place.iterdir()) == []


def test_an_unknown_layer_is_refused() -> None:
    names = [*LAYERS, *(kind for kind in LANGUAGES["go"].modules if kind != LAYER)]
    assert refused("go", ".", name="nano") == f"nano: unknown layer; hint: use one of {', '.join(names)}"
    assert "unknown layer" in refused("go", ".", name="../layers/scratch")


@pytest.mark.parametrize("name", ["base_windows.go", "a_b_arm64.go", "_x.go", ".x.go", "x_linux_test.go"])
def test_go_files_that_go_would_skip_are_refused(name: str) -> None:
    assert "go build skips files so named" in refused("go", name)
    write("go", "scratch", "windows.go")


def test_the_endings_that_go_skips_are_those_of_the_go_that_is_here() -> None:
    root = subprocess.run([need("go"), "env", "GOROOT"], capture_output=True, text=True, check=True).stdout.strip()
    text = "".join(path.read_text("utf-8") for path in Path(root, "src").glob("*/*/syslist.go"))  # it has moved
    assert set(re.findall(r'"(\w+)":', text)) <= SKIPPED_ENDINGS


# What must not be overwritten


EDITS: dict[str, Callable[[bytes], bytes]] = {
    "a byte": lambda data: data.replace(b"Layer is", b"Layer was", 1),
    "a line added": lambda data: data + b"\n",
    "the line cut": lambda data: data.replace(b'"version"', b'"', 1),
    "another's": lambda _: b"package mine\n",
    "empty": lambda _: b"",
    "not text": lambda _: b"\xff\xfe\0\x1b[31m",
}


@pytest.mark.parametrize("edit", EDITS)
def test_what_a_person_wrote_stays(edit: str) -> None:
    write("go", "scratch", "x.go", package="mine")
    path = Path("x.go")
    edited = EDITS[edit](path.read_bytes())
    path.write_bytes(edited)
    said: list[str] = []
    modes: tuple[dict[str, Any], ...] = ({}, {"dry_run": True}, {"diff": True})
    for mode in modes:
        with pytest.raises(GeneratorError, match=r"x\.go: .*; nothing was written; --force replaces it"):
            vendor.vendor(ROOT, "go", "scratch", "x.go", say=said.append, package="mine", **mode)
        assert path.read_bytes() == edited
    assert said[:2] == ["--- x.go", "+++ x.go"]
    assert all(line.replace("\t", "").isprintable() for line in said)
    write("go", "scratch", "x.go", package="mine", force=True)
    assert options_of(path) == Options("mine")


def test_an_unedited_copy_of_anything_is_replaced() -> None:
    write("go", "scratch", "x.go")
    write("go", "legacy", "x.go")
    found = provenance.read(Path("x.go").read_text())
    assert found is not None
    assert found[0].layer == "legacy"


def test_the_same_content_is_not_written_again_even_with_other_line_ends() -> None:
    write("python", "scratch", "x.py")
    path = Path("x.py")
    before = path.stat()
    assert write("python", "scratch", "x.py") == ["unchanged: x.py"]
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert write("python", "scratch", "x.py") == ["unchanged: x.py"]
    assert b"\r\n" in path.read_bytes()


def test_both_halves_of_a_c_pair_or_none() -> None:
    write("c", "scratch", "x.c")
    header, source = Path("x.h"), Path("x.c")
    source.write_bytes(source.read_bytes() + b"// mine\n")
    before = header.read_bytes(), source.read_bytes()
    assert (
        refused("c", "x.h", name="legacy")
        == "x.c: edited by hand, or of a later version; nothing was written; --force replaces it"
    )
    assert (header.read_bytes(), source.read_bytes()) == before
    source.unlink()
    source.mkdir()
    assert "x.c: not a file" in refused("c", "x.h", name="legacy", force=True)
    assert header.read_bytes() == before[0]


def test_dry_run_and_diff_write_nothing() -> None:
    assert write("c", "scratch", "n/x.c", dry_run=True) == ["would write n/x.h", "would write n/x.c"]
    said = write("c", "scratch", "n/x.c", diff=True)
    assert said[:2] == ["--- /dev/null", "+++ n/x.h"]
    assert "+#ifndef X_H" in said
    assert listing() == []
    write("c", "scratch", "n/x.c")
    assert write("c", "scratch", "n/x.c", dry_run=True) == ["unchanged: n/x.h", "unchanged: n/x.c"]
    assert write("c", "scratch", "n/x.c", diff=True) == []


def test_a_link_stays_one(place: Path) -> None:
    (place / "real").mkdir()
    Path("x.go").symlink_to("real/y.go")
    write("go", "scratch", "x.go", package="p")
    assert Path("x.go").is_symlink()
    assert options_of("real/y.go") == Options("p")
    assert listing("real") == ["y.go"]


def test_what_is_not_a_file_is_refused() -> None:
    os.mkfifo("x.go")
    assert "not a file" in refused("go", "x.go", force=True)
    Path("plain").write_text("")
    assert "ends in .py" in refused("python", "plain")
    assert "ends in .go" in refused("go", "plain/")
    assert refused("go", "plain/x.go") == "plain: File exists; choose another DEST"


def test_a_failure_half_way_leaves_everything_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    write("c", "scratch", "x.c")
    before = Path("x.h").read_bytes(), Path("x.c").read_bytes()
    whole = files._write_beside

    def fail(folder: Any, temporary: str, path: Path, data: bytes) -> None:
        if path.name == "x.c":
            data = data[: len(data) // 2]
        whole(folder, temporary, path, data)
        if path.name == "x.c":
            raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(files, "_write_beside", fail)
    assert "No space left on device" in refused("c", "x.c", name="legacy")
    assert (Path("x.h").read_bytes(), Path("x.c").read_bytes()) == before
    assert listing() == ["x.c", "x.h"]


@pytest.mark.program
def test_two_runs_wait_for_each_other() -> None:
    Path("d").mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [*INVOKE, "vendor", "go", "scratch", "d"]
    with files.lock(Path("d"), print):
        run = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert run.stderr is not None
        timer = threading.Timer(HANG, run.kill)  # ends the reading, too
        timer.start()
        said = run.stderr.readline()
        timer.cancel()
        still_waits = run.poll() is None
        written = listing("d")
    assert (said, still_waits, written) == (b"waiting for the lock of d, which another run holds\n", True, [])
    assert run.communicate() == (b"wrote d/windows_scratch.go\n", b"")
    assert run.returncode == 0


def test_a_damaged_blob_is_one_line_that_says_the_mend(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for part in ("output/layers", "generator/layers", "templates"):
        shutil.copytree(ROOT / part, root / part)
    shutil.copy(ROOT / unchanged.MANIFEST, root / unchanged.MANIFEST)
    blob = root / "output/layers/scratch.tar.gz"
    blob.write_bytes(blob.read_bytes()[:-1])
    with pytest.raises(GeneratorError, match=r"^output/layers/scratch.tar.gz: .*; run \./invokew generate$"):
        vendor.vendor(root, "go", "scratch", ".", say=print)
    blob.unlink()
    with pytest.raises(GeneratorError, match=r"run \./invokew generate$"):
        vendor.vendor(root, "go", "scratch", ".", say=print)
    assert listing() == []


# The task


@pytest.mark.program
def test_the_task_works_from_the_users_directory() -> None:
    def run(*arguments: str) -> tuple[int, str, str]:
        done = subprocess.run([*INVOKE, "vendor", *arguments], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    assert run("go", "scratch", "x/y.go", "--prefix", "Base", "--compat=imgutil") == (0, "wrote x/y.go\n", "")
    assert options_of("x/y.go") == Options("x", "Base", "imgutil")
    assert run("go", "scratch", "x/y.go", "--prefix=", "--compat=") == (0, "wrote x/y.go\n", "")
    assert options_of("x/y.go") == Options("x")
    assert run("go", "scratch", "x/y.go", "--prefix", "base") == (
        2,
        "",
        "error: base: Go exports only names that start in A to Z; use --prefix\n",
    )
    Path("x/y.go").write_text("package x\n")
    status, shown, error = run("go", "scratch", "x/y.go")
    assert (status, error) == (2, "error: x/y.go: not made by winscratch; nothing was written; --force replaces it\n")
    assert shown.startswith("--- x/y.go\n+++ x/y.go\n@@ ")
