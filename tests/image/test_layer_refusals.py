# SPDX-License-Identifier: Apache-2.0
"""Sources that cannot be in a layer are errors of one line."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from helpers.layer_runs import fill, make
from helpers.support import lack

from generator.base.console import Say
from generator.base.errors import GeneratorError
from generator.base.folders import Folders
from generator.builder.wire import ROOT
from generator.image import sources
from generator.image.layers import make_layers
from generator.image.model import LayerOptions, Source
from generator.image.sources import SourceEntry


def refused(work: Path, *given: Path | tuple[Path, str], **options: Any) -> str:
    """Return the error of make(), which is one line."""
    with pytest.raises(GeneratorError) as error:
        make(work, *given, **options)
    line = str(error.value)
    assert line.isprintable()
    assert len(line) < 600
    return line


NAMES = {
    "aux.h": "device name",
    "COM¹": "device name",
    "trailing.": "ends in a dot or space",
    "trailing ": "ends in a dot or space",
    "file:stream": "character that Windows does not allow in names",
    "back\\slash": "character that Windows does not allow in names",
    "what?": "character that Windows does not allow in names",
    "new\nline": "character that Windows does not allow in names",
    "\x1b[31mred": "character that Windows does not allow in names",
    ".wh.gone": "begins with .wh.",
    os.fsdecode(b"\xff\xfe"): "not valid Unicode",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_names_invalid_on_windows_are_refused(name: str, kind: str, tmp_path: Path) -> None:
    top = tmp_path / "in"
    top.mkdir()
    if kind == "file":
        (top / name).write_bytes(b"")
    elif kind == "folder":
        (top / name).mkdir()
    else:
        (top / name).symlink_to("x")
    assert NAMES[name] in refused(tmp_path / "out", top)
    make(tmp_path / "without", top, exclude=("*",))


def test_names_equal_on_windows_are_refused_and_both_named(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", ["GRÖSSE/x", "größe", "Größe/y"])
    line = refused(tmp_path / "out", folder)
    assert f"{folder}/Größe: " in line or f"{folder}/größe: " in line
    assert "GRÖSSE" not in line  # ß has no capital of one letter
    assert "Größe" in line
    assert "größe" in line


def test_a_path_of_two_sources_is_refused_and_both_named(tmp_path: Path) -> None:
    one, two = fill(tmp_path / "one", ["app/x"]), fill(tmp_path / "two", ["app"])
    line = refused(tmp_path / "out", one, two, one_layer=True)
    assert str(one / "app") in line
    assert str(two / "app") in line
    make(tmp_path / "apart", one, two)


@pytest.mark.parametrize("special", ["a named pipe", "a socket", "a device"])
def test_special_files_are_refused_without_being_opened(special: str, tmp_path: Path) -> None:
    top = fill(tmp_path / "in", ["x"])
    if special == "a named pipe":
        os.mkfifo(top / "odd")
    elif special == "a socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(top / "odd"))
    elif os.geteuid() == 0:
        os.mknod(top / "odd", 0o600 | 0o020000, os.makedev(1, 3))
    else:
        lack("only root may make a device")
    assert f"{top}/odd: {special}, which cannot be in a layer" in refused(tmp_path / "out", top)
    alone = refused(tmp_path / "alone", top / "odd", exclude=("odd",))
    assert alone == f"{top}/odd: {special}, which cannot be in a layer; hint: give a file or directory"
    make(tmp_path / "without", top, exclude=("odd",))
    make(tmp_path / "others", top, exclude=("*", "!x"))


def test_a_missing_source_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "out", tmp_path / "none") == f"{tmp_path}/none: cannot be read: No such file or directory"
    assert "cannot be read" in refused(tmp_path / "nul", Path("a\0b"))


def test_a_time_that_a_layer_cannot_hold_is_refused_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "hello.exe").write_bytes(b"MZ")
    os.utime(tmp_path / "hello.exe", (1 << 34, 1 << 34))  # the year 2514
    line = refused(tmp_path / "out", tmp_path / "hello.exe", times="keep")
    assert line.endswith("2262-04-11; hint: change its time with touch, or use --times fixed")


def test_a_long_dest_is_shortened_in_its_error(tmp_path: Path) -> None:
    (tmp_path / "hello.exe").write_bytes(b"MZ")
    line = refused(tmp_path / "out", (tmp_path / "hello.exe", "/x/" + "d" * 40_000))
    assert "… longer than" in line.replace("…: the path is", "…")


def test_an_empty_security_descriptor_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hello.exe").write_bytes(b"MZ")
    assert refused(tmp_path / "out", tmp_path / "hello.exe", security="").startswith("--security: empty; hint: ")


@pytest.mark.parametrize("dest", ["app", "app\\x", "C:app", "C:", ""])
def test_a_relative_dest_has_an_error_of_its_own(dest: str, tmp_path: Path) -> None:
    (tmp_path / "hello.exe").write_bytes(b"MZ")
    source = f"{tmp_path}/hello.exe:{dest}"
    line = refused(tmp_path / "out", Path(source))
    assert line == rf"{source}: DEST '{dest}' must begin with /, \ or a drive (C:\)"


def test_a_file_source_is_never_excluded_and_can_be_renamed_by_dest(tmp_path: Path) -> None:
    fill(tmp_path, ["aux"])
    line = refused(tmp_path / "out", tmp_path / "aux")
    assert "device name; hint: give a DEST" in line
    (blob,) = make(tmp_path / "good", (tmp_path / "aux", "/app/x"), exclude=("*", "aux"))
    assert blob.size


@pytest.mark.parametrize("dest", ["D:\\x", "\\\\server\\share", "a/../../b", "C:..\\x", "//x/y"])
def test_a_dest_outside_of_c_is_refused(dest: str, tmp_path: Path) -> None:
    assert dest in refused(tmp_path / "out", (fill(tmp_path / "in", ["x"]), dest))


@pytest.mark.parametrize("dest", ["C:\\aux", "C:\\a:b", "a" * 300, "a./b"])
def test_a_dest_invalid_on_windows_is_refused(dest: str, tmp_path: Path) -> None:
    line = refused(tmp_path / "out", (fill(tmp_path / "in", ["x"]), dest))
    assert line.startswith(f"DEST {dest}: a part of the path ")
    assert line.endswith("; hint: give a path such as C:\\app")


def test_a_destination_inside_a_source_is_refused(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", ["x"])
    (tmp_path / "way").symlink_to(folder)
    for work in (folder / "out", tmp_path / "way/deep/out"):
        assert f"inside the source {folder}; hint: write it elsewhere" in refused(work, folder)
    sources.refuse_inside(tmp_path / "in-beside", [Source(folder)])


def test_an_invalid_security_descriptor_is_refused(tmp_path: Path) -> None:
    assert "--security nobody: neither users-read" in refused(
        tmp_path / "out", fill(tmp_path / "in", ["x"]), security="nobody"
    )


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        refused_as_another_user(tmp_path)
        return
    folder = fill(tmp_path / "in", ["x"])
    (folder / "x").chmod(0)
    assert refused(tmp_path / "out", folder) == f"{folder}/x: cannot be read: Permission denied"


def refused_as_another_user(tmp_path: Path) -> None:
    """Run as another user, since root reads all files."""
    folder = fill(tmp_path / "in", ["x"])
    (folder / "x").chmod(0)
    script = (
        "import os, sys; from pathlib import Path\n"
        "from generator.base.errors import GeneratorError\n"
        "from generator.image.layers import make_layers\n"
        "from generator.image.model import LayerOptions, Source\n"
        "import generator.image.cache, generator.image.compress, generator.image.entries, deflate, json\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try: make_layers([Source(Path(sys.argv[1]))], LayerOptions(), Path(sys.argv[2]),\n"
        "                 note=print, environment={'WINSCRATCH_CACHE_MIB': '0'})\n"
        "except GeneratorError as error: print(error)\n"
    )
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_uid == os.geteuid() and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o755)
    (tmp_path / "out").mkdir()
    (tmp_path / "out").chmod(0o777)
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder), str(tmp_path / "out")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{folder}/x: cannot be read: Permission denied\n"


# ---------------------------------------------------------------------------------------------
# Files that change while they are read


def instead(make_another: Callable[[Path], object]) -> Callable[[Path], object]:
    """Return a function that replaces a file by what *make_another* makes."""

    def change(path: Path) -> None:
        path.unlink()
        make_another(path)

    return change


CHANGES: dict[str, Callable[[Path], object]] = {
    "longer": lambda path: path.open("ab").write(b"x"),
    "shorter": lambda path: os.truncate(path, 10),
    "other content": lambda path: path.write_bytes(b"y" * path.stat().st_size),
    "another file": instead(lambda path: path.write_bytes(b"z" * 100)),
    "gone": Path.unlink,
    "a link": instead(lambda path: path.symlink_to("/etc/passwd")),
    "a pipe": instead(os.mkfifo),
    "a folder": instead(Path.mkdir),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("size", [100, 5 << 20])
def test_a_file_changed_before_it_is_read_is_refused(
    change: str, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fill(tmp_path / "in", ["a"])
    (folder / "b").write_bytes(b"x" * size)

    def collected(given: Sequence[Source], exclude: Sequence[str], note: Say, folders: Folders) -> list[SourceEntry]:
        found = sources.collect(given, exclude, note, folders)
        CHANGES[change](folder / "b")
        return found

    monkeypatch.setattr("generator.image.layers.collect", collected)
    line = refused(tmp_path / "out", folder)
    assert line.startswith(f"{folder}/b: ")
    assert "while the image was made" in line or "cannot be read" in line


@pytest.mark.parametrize("change", ["longer", "shorter", "other content"])
def test_a_file_changed_while_it_is_read_is_refused(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fill(tmp_path / "in", ["a"])
    (folder / "b").write_bytes(b"x" * (5 << 20))
    read = os.readv
    left = [3]

    def reading(opened: int, buffers: Sequence[memoryview]) -> int:
        count = read(opened, buffers)
        if count == 1 << 20:
            left[0] -= 1
            if left[0] == 0:
                CHANGES[change](folder / "b")
        return count

    monkeypatch.setattr("os.readv", reading)
    monkeypatch.setattr("generator.image.workers.can_fork", lambda: False)
    line = refused(tmp_path / "out", folder)
    assert line == f"{folder}/b: changed while the image was made; hint: run again when nothing writes to it"


def test_a_directory_replaced_by_a_link_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fill(tmp_path / "in", ["sub/passwd"])
    other = fill(tmp_path / "other", ["passwd"])

    def collected(given: Sequence[Source], exclude: Sequence[str], note: Say, folders: Folders) -> list[SourceEntry]:
        found = sources.collect(given, exclude, note, folders)
        (folder / "sub").rename(folder / "moved")
        (folder / "sub").symlink_to(other)
        return found

    monkeypatch.setattr("generator.image.layers.collect", collected)
    assert "changed while the image was made" in refused(tmp_path / "out", folder)


def test_a_full_disk_is_an_error_of_one_line_and_ends_all_threads(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", ["a"])
    (folder / "big").write_bytes(os.urandom(8 << 20))
    before = threading.active_count()
    script = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from generator.base.errors import GeneratorError\n"
        "from generator.image.layers import make_layers\n"
        "from generator.image.model import LayerOptions, Source\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, 3 << 20))\n"
        "try: make_layers([Source(Path(sys.argv[1]))], LayerOptions(), Path(sys.argv[2]),\n"
        "                 note=print, environment={'WINSCRATCH_CACHE_MIB': '0'})\n"
        "except GeneratorError as error: print(error)\n"
    )
    (tmp_path / "out").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder), str(tmp_path / "out")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{tmp_path}/out/layer-1: cannot be written: File too large\n"
    environment = {"WINSCRATCH_CACHE_MIB": "0"}
    with pytest.raises(GeneratorError, match="cannot be written"):
        make_layers([Source(folder)], LayerOptions(), tmp_path / "none", note=print, environment=environment)
    assert threading.active_count() == before
