# SPDX-License-Identifier: Apache-2.0
"""`extract` of hostile images: nothing is written outside of the folder, and limits hold."""

import io
import os
import tarfile
from pathlib import Path

import pytest
from helpers.counts import thorough
from helpers.extracting import APP, extracted, image
from helpers.layouts import ROOTS, Layout, Part, directory, tarred
from helpers.random_images import on_disk
from helpers.views import run

from generator.base.errors import GeneratorError
from generator.imageread import merged
from generator.imageread.untar import TarEntry

LINK, SYMLINK = tarfile.LNKTYPE, tarfile.SYMTYPE

HOSTILE = (
    Part("../out", b"x"),
    Part("/tmp/absolute", b"x"),
    Part("Files/../../up", b"x"),
    Part("Files\\..\\..\\up", b"x"),
    Part("Files/nul", b"x"),
    Part("Files/com1.txt", b"x"),
    Part("Files/ends.", b"x"),
    Part("Files/\udcff", b"x"),
    Part("Files/good:stream", b"x"),
    Part("Files/pipe", b"", tarfile.FIFOTYPE),
    Part("Files/device", b"", tarfile.CHRTYPE),
    Part("Files/hard", b"", LINK, "../../../etc/passwd", {}),
    Part("Files/harder", b"", LINK, "/etc/passwd", {}),
    Part("Files/link", b"", SYMLINK, "/../../etc", {}),
    Part("Files/up", b"", SYMLINK, "..\\..\\etc", {}),
    Part("Files/share", b"", SYMLINK, r"\\server\share", {}),
    Part("Files/other", b"", SYMLINK, "D:\\x", {}),
    Part("Files/volume", b"", SYMLINK, r"\\?\Volume{1}\x", {}),
    Part("Files/.wh...", b""),
    Part(".wh.", b""),
)


def test_hostile_entries_are_listed_and_nothing_is_written_outside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = image(tmp_path, [*ROOTS, Part("Files/good", b"g"), *HOSTILE])
    (tmp_path / "a/b").mkdir(parents=True)
    assert run("extract", name, "--to", tmp_path / "a/b/out")[0] == 1
    assert on_disk(tmp_path / "a") == {"b": None, "b/out": None, "b/out/Files": None, "b/out/Hives": None} | {
        "b/out/Files/good": b"g"
    }
    lines = [line for line in capsys.readouterr().err.splitlines() if ": left out: " in line]
    assert len(lines) == len(HOSTILE)
    status, tar = run("extract", name, "--tar")
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        assert (status, archive.getnames()) == (1, ["Files", "Files/good", "Hives"])


def test_symlinks_are_relative_and_stay_inside_through_any_chain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    links = {
        "Files/app/abs": r"C:\APP\a.txt",
        "Files/app/root": "/app/b.txt",
        "Files/app/junction": "\\??\\C:\\app",
        "Files/app/rel": "..\\app\\.\\a.txt",
        "Files/deep": "app/deep/er",
        "Files/climb": "deep/../../../x",  # it leaves C: in text
        "Files/chain": "deep\\..\\..\\..\\a.txt",
        "Files/tricky": "deep/../app",
        "UtilityVM/Files/vm": "/x",
    }
    parts = [*ROOTS, *APP, directory("Files/app/deep"), directory("Files/app/deep/er")]
    parts += [directory("UtilityVM"), directory("UtilityVM/Files"), Part("UtilityVM/Files/x", b"vm")]
    parts += [Part(path, b"", SYMLINK, target, {}) for path, target in links.items()]
    assert run("extract", image(tmp_path, parts), "--to", tmp_path / "out")[0] == 1
    assert r"a symlink above its disk, 'deep\..\..\..\a.txt'" in capsys.readouterr().err
    top = (tmp_path / "out").resolve()
    found = [path for path in top.rglob("*") if path.is_symlink()]
    made = {path.relative_to(top).as_posix(): path.readlink().as_posix() for path in found}
    assert made == {
        "Files/app/abs": "a.txt",
        "Files/app/root": "b.txt",
        "Files/app/junction": ".",
        "Files/app/rel": "a.txt",
        "Files/deep": "app/deep/er",
        "Files/tricky": "app",
        "UtilityVM/Files/vm": "x",
    }
    for path in made:
        assert Path(os.path.realpath(top / path)).is_relative_to(top), path


def test_names_that_this_system_cannot_hold_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long = "ü" * 200  # 255 UTF-16 units fit on Windows, and 255 bytes here
    deep = "/".join(["d" * 200] * 25)
    name = image(
        tmp_path, [*ROOTS, directory(f"Files/{long}"), Part(f"Files/{long}/x", b""), Part(f"Files/{deep}", b"")]
    )
    found = extracted(tmp_path, name, status=1)
    assert not any(long in path for path in found)
    shown = capsys.readouterr().err
    assert "this system cannot hold the name: File name too long" in shown
    assert f"{long}/x: its directory is left out" in shown
    assert "the path is longer than 4,000 bytes" in shown


@thorough("writes many files")
def test_32768_names_of_a_directory_are_written(tmp_path: Path) -> None:
    many = [Part(f"Files/{number:05}", b"", records={}) for number in range(32_768)]
    name = image(
        tmp_path, [*ROOTS, *many], [*ROOTS, *(Part(f"Files/.wh.{number:05}") for number in range(0, 32_768, 2))]
    )
    assert len(extracted(tmp_path, name)) == 2 + 16_384


def test_too_many_paths_are_an_error_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merged, "MOST_ENTRIES", 1000)
    name = image(tmp_path, [*ROOTS, Part("Files/" + "/".join("abcdefghij" * 100), b"")])
    with pytest.raises(GeneratorError, match="more than 1,000 paths"):
        run("extract", name, "--to", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["image"]


def test_a_damaged_image_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    made = Layout(tmp_path / "image", [tarred([*ROOTS, *APP])])
    name = made.write()
    path = made.blob(made.blobs[0])
    for damaged in (path.read_bytes()[:-9], path.read_bytes() + b"x", b""):
        path.write_bytes(damaged)
        with pytest.raises(GeneratorError, match="hint: winscratch check-image"):
            run("extract", name, "--to", tmp_path / "out")
    path.unlink()
    with pytest.raises(GeneratorError, match="No such file"):
        run("extract", name, "--to", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["image"]


def test_the_folder_must_be_new_or_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine").write_bytes(b"m")
    (tmp_path / "file").write_bytes(b"f")
    (tmp_path / "empty").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("empty")
    monkeypatch.chdir(tmp_path / "empty")
    for to, wrong in (("full", "not empty"), ("file", "not a folder"), ("link", "not a folder"), ("empty", "current")):
        with pytest.raises(GeneratorError, match=wrong):
            run("extract", "scratch", "--to", tmp_path / to)
    monkeypatch.chdir(tmp_path)
    for to in ("empty", "new/in/new"):
        assert run("extract", "scratch", "--to", to)[0] == 0
        assert len(on_disk(tmp_path / to)) == 15
    assert (tmp_path / "empty").stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file", "full", "link", "new"]
    assert on_disk(tmp_path / "full") == {"mine": b"m"}


def test_a_deep_chain_of_directories_costs_no_memory_of_its_square() -> None:
    path = "/".join("d" * 16_000)
    tree = merged.MergedTree()
    entries = [TarEntry(f"{path}/{n}", "0", 0, "", 0, 0, {}, 0, 0, None, None) for n in range(3)]
    with pytest.raises(GeneratorError, match="too long ones"):
        tree.add(entries)


def test_a_directory_that_is_swapped_for_a_link_during_the_run_leads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outside").mkdir()
    made = os.mkdir

    def swap(path: str, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        made(path, mode, dir_fd=dir_fd)
        if path == "app":
            os.rmdir(path, dir_fd=dir_fd)
            os.symlink(tmp_path / "outside", path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "mkdir", swap)
    with pytest.raises(GeneratorError, match="out: cannot be written: Not a directory"):
        run("extract", image(tmp_path, [*ROOTS, *APP]), "--to", tmp_path / "out")
    assert not any((tmp_path / "outside").iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image", "outside"]


def test_a_record_whose_key_is_not_utf_8_is_not_in_the_tar(tmp_path: Path) -> None:
    layer = tarred([*ROOTS, Part("Files/a", b"x", records={"MSWINDOWS.a?": "1", "MSWINDOWS.b": "2"})])
    name = Layout(tmp_path / "image", [layer.replace(b".a?=", b".a\xff=")]).write()
    status, data = run("extract", name, "--tar")
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert (status, tar.getmember("Files/a").pax_headers) == (0, {"MSWINDOWS.b": "2"})


@pytest.mark.parametrize("size", [0, -1, 1 << 40])
def test_a_layer_of_another_size_than_the_manifest_says_is_refused(size: int, tmp_path: Path) -> None:
    made = Layout(tmp_path / "image", [tarred([*ROOTS, *APP])])
    made.manifest["layers"][0]["size"] = size
    with pytest.raises(GeneratorError, match=r"bytes, not .* as in the manifest; hint: winscratch check-image"):
        run("extract", made.write(), "--to", tmp_path / "out")


@pytest.mark.parametrize("count", [0, 2])
def test_another_number_of_diff_ids_than_of_layers_is_refused(count: int, tmp_path: Path) -> None:
    made = Layout(tmp_path / "image", [tarred([*ROOTS, *APP])])
    made.config["rootfs"]["diff_ids"] *= count
    with pytest.raises(GeneratorError, match="a diff ID for each layer; hint: winscratch check-image"):
        run("extract", made.write(), "--to", tmp_path / "out")
