# SPDX-License-Identifier: Apache-2.0
"""Write one copy: its names, refused input, and atomic writes."""

import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.support import HANG, INVOKE, INVOKEW
from helpers.vendoring import listing, options_of, refused, written

from generator.base import files
from generator.base.errors import GeneratorError
from generator.builder.wire import ROOT
from generator.generation import manifest, unchanged
from generator.generation.committed import committed_blob
from generator.languages import provenance
from generator.languages.language import ModuleOptions
from generator.languages.table import LANGUAGES
from generator.vendoring import vendor

pytestmark = pytest.mark.usefixtures("place")
LAYERS = manifest.layers(ROOT)


# Files and names that follow from the destination


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_default_names_in_a_directory(language: str, name: str) -> None:
    row = LANGUAGES[language]
    made = [f"new/folder/{row.stem(name, None)}{ending}" for ending in row.endings(name).values()]
    assert written(language, name, "new/folder") == [f"wrote {path}" for path in made]
    for path in made:
        found = provenance.read(Path(path).read_text("utf-8"))
        assert found is not None
        blob = committed_blob(ROOT, name)
        assert (found[1], found[0].layer, found[0].digest, found[0].diff_id) == (True, name, blob.digest, blob.diff_id)
        assert "\r" not in Path(path).read_bytes().decode("ascii")


def test_the_copy_is_the_committed_module_where_the_names_are_the_same(place: Path) -> None:
    written("python", "scratch", ".")
    written("c", "scratch", ".")
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
    written("go", "scratch", "a/x.go", package="p")
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "7")
    written("go", "scratch", str(tmp_path / "elsewhere" / "y.go"), package="p")
    assert Path("a/x.go").read_bytes() == (tmp_path / "elsewhere" / "y.go").read_bytes()


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
    written("go", "scratch", "x.go", package="mine")
    path = Path("x.go")
    edited = EDITS[edit](path.read_bytes())
    path.write_bytes(edited)
    said: list[str] = []
    modes: tuple[dict[str, Any], ...] = ({}, {"dry_run": True}, {"diff": True})
    for mode in modes:
        with pytest.raises(GeneratorError, match=r"x\.go: .*, so nothing was written; hint: --force replaces it"):
            vendor.vendor(ROOT, "go", "scratch", "x.go", say=said.append, package="mine", **mode)
        assert path.read_bytes() == edited
    assert said[:2] == ["--- x.go", "+++ x.go"]
    assert all(line.replace("\t", "").isprintable() for line in said)
    written("go", "scratch", "x.go", package="mine", force=True)
    assert options_of(path) == ModuleOptions("mine", "WindowsScratch")


def test_an_unedited_copy_of_anything_is_replaced() -> None:
    written("go", "scratch", "x.go")
    written("go", "legacy", "x.go")
    found = provenance.read(Path("x.go").read_text())
    assert found is not None
    assert found[0].layer == "legacy"


def test_the_same_content_is_not_written_again_even_with_other_line_ends() -> None:
    written("python", "scratch", "x.py")
    path = Path("x.py")
    before = path.stat()
    assert written("python", "scratch", "x.py") == ["unchanged: x.py"]
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert written("python", "scratch", "x.py") == ["unchanged: x.py"]
    assert b"\r\n" in path.read_bytes()


def test_both_halves_of_a_c_pair_or_none() -> None:
    written("c", "scratch", "x.c")
    header, source = Path("x.h"), Path("x.c")
    source.write_bytes(source.read_bytes() + b"// mine\n")
    before = header.read_bytes(), source.read_bytes()
    assert (
        refused("c", "x.h", name="legacy")
        == "x.c: edited by hand, or of a later version, so nothing was written; hint: --force replaces it"
    )
    assert (header.read_bytes(), source.read_bytes()) == before
    source.unlink()
    source.mkdir()
    assert "x.c: not a file" in refused("c", "x.h", name="legacy", force=True)
    assert header.read_bytes() == before[0]


def test_dry_run_and_diff_write_nothing() -> None:
    assert written("c", "scratch", "n/x.c", dry_run=True) == ["would write n/x.h", "would write n/x.c"]
    said = written("c", "scratch", "n/x.c", diff=True)
    assert said[:2] == ["--- /dev/null", "+++ n/x.h"]
    assert "+#ifndef X_H" in said
    assert listing() == []
    written("c", "scratch", "n/x.c")
    assert written("c", "scratch", "n/x.c", dry_run=True) == ["unchanged: n/x.h", "unchanged: n/x.c"]
    assert written("c", "scratch", "n/x.c", diff=True) == []


def test_a_link_stays_one(place: Path) -> None:
    (place / "real").mkdir()
    Path("x.go").symlink_to("real/y.go")
    written("go", "scratch", "x.go", package="p")
    assert Path("x.go").is_symlink()
    assert options_of("real/y.go") == ModuleOptions("p", "WindowsScratch")
    assert listing("real") == ["y.go"]


def test_what_is_not_a_file_is_refused() -> None:
    os.mkfifo("x.go")
    assert "not a file" in refused("go", "x.go", force=True)
    Path("plain").write_text("")
    assert "ends in .py" in refused("python", "plain")
    assert "ends in .go" in refused("go", "plain/")
    assert refused("go", "plain/x.go") == "plain: File exists; hint: choose another DEST"


def test_a_failure_half_way_leaves_everything_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    written("c", "scratch", "x.c")
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
    with pytest.raises(GeneratorError, match=r"^output/layers/scratch.tar.gz: .*; hint: run \./invokew generate$"):
        vendor.vendor(root, "go", "scratch", ".", say=print)
    blob.unlink()
    with pytest.raises(GeneratorError, match=r"run \./invokew generate$"):
        vendor.vendor(root, "go", "scratch", ".", say=print)
    assert listing() == []


# The task


@pytest.mark.program
def test_the_task_works_from_the_users_directory() -> None:
    def run(*arguments: str) -> tuple[int, str, str]:
        done = subprocess.run([*INVOKEW, "vendor", *arguments], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    assert run("go", "scratch", "x/y.go", "--prefix", "Base", "--compat=imgutil") == (0, "wrote x/y.go\n", "")
    assert options_of("x/y.go") == ModuleOptions("x", "Base", "imgutil")
    assert run("go", "scratch", "x/y.go", "--prefix=", "--compat=") == (0, "wrote x/y.go\n", "")
    assert options_of("x/y.go") == ModuleOptions("x")
    assert run("go", "scratch", "x/y.go", "--prefix", "base") == (
        2,
        "",
        "error: base: Go exports only names that start in A to Z; hint: use --prefix\n",
    )
    Path("x/y.go").write_text("package x\n")
    status, shown, error = run("go", "scratch", "x/y.go")
    assert (status, error) == (
        2,
        "error: x/y.go: not made by winscratch, so nothing was written; hint: --force replaces it\n",
    )
    assert shown.startswith("--- x/y.go\n+++ x/y.go\n@@ ")
