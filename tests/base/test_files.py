# SPDX-License-Identifier: Apache-2.0
"""Atomic writes below a folder without following links, and safe reads of untrusted files."""

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from generator.base import files
from generator.base.errors import GeneratorError
from generator.base.home import TEMPORARY
from generator.base.reading import read_file

LIMIT = 1000


@pytest.fixture(params=[True, False], ids=["by descriptor", "by path"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, written to through descriptors, and by path as on Windows."""
    if not request.param:
        monkeypatch.setattr(files, "_DESCRIPTORS", False)
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


def listing(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_replace_makes_and_removes_folders(place: Path) -> None:
    files.replace({place / "a/b/c": b"1", place / "a/d": b"2", place / "e": b"3"}, below=place)
    assert listing(place) == ["a", "a/b", "a/b/c", "a/d", "e"]
    files.replace({place / "e": b"4"}, remove=[place / "a/b/c", place / "a/gone", place / "gone/f"], below=place)
    assert listing(place) == ["a", "a/d", "e"]
    assert (place / "e").read_bytes() == b"4"


def test_temporary_names_are_unpredictable_and_never_followed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    victim = place / "victim"
    victim.write_bytes(b"mine")
    (place / ".x.winscratch-tmp").symlink_to(victim)
    files.replace({place / "x": b"new"}, below=place)
    assert (victim.read_bytes(), (place / "x").read_bytes()) == (b"mine", b"new")
    monkeypatch.setattr(os, "urandom", bytes)  # as if it had been guessed
    guessed = place / f".{bytes(8).hex()}{TEMPORARY}"
    guessed.symlink_to(victim)
    with pytest.raises(GeneratorError, match=r"x: cannot be written: File exists, and nothing was changed$"):
        files.replace({place / "x": b"newer"}, below=place)
    assert (victim.read_bytes(), (place / "x").read_bytes()) == (b"mine", b"new")


@pytest.mark.parametrize("link", ["a", "a/b"])
def test_replace_refuses_links_in_place_of_folders(link: str, place: Path, tmp_path: Path) -> None:
    (tmp_path / "outside/b").mkdir(parents=True)
    (tmp_path / "outside/b/x").write_bytes(b"mine")
    (place / link).parent.mkdir(exist_ok=True)
    (place / link).symlink_to(tmp_path / "outside" / link.partition("/")[2])
    pattern = r"/x: cannot be written: a link in place of a folder, and nothing was changed$"
    with pytest.raises(GeneratorError, match=pattern):
        files.replace({place / "whole": b"", place / "a/b/x": b"new"}, below=place)
    with pytest.raises(GeneratorError, match="a link in place of a folder"):
        files.replace({}, remove=[place / "a/b/x"], below=place)
    assert (tmp_path / "outside/b/x").read_bytes() == b"mine"
    assert not (place / "whole").exists()


def test_folder_swapped_for_a_link_during_a_write_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "place/a").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    real = os.urandom

    def swap(size: int) -> bytes:  # for the temporary name, when the folder is open
        (tmp_path / "place/a").rename(tmp_path / "place/moved")
        (tmp_path / "place/a").symlink_to(tmp_path / "outside")
        return real(size)

    monkeypatch.setattr(os, "urandom", swap)
    files.replace({tmp_path / "place/a/x": b"new"}, below=tmp_path / "place")
    assert listing(tmp_path / "outside") == []
    assert (tmp_path / "place/moved/x").read_bytes() == b"new"


def test_replace_replaces_links_and_pipes_themselves(place: Path) -> None:
    (place / "victim").write_bytes(b"mine")
    (place / "victim").chmod(0o600)
    (place / "link").symlink_to("victim")
    os.mkfifo(place / "pipe")
    files.replace({place / "link": b"1", place / "pipe": b"2"}, below=place)
    assert (place / "victim").read_bytes() == b"mine"
    assert [(place / name).read_bytes() for name in ("link", "pipe")] == [b"1", b"2"]
    assert stat.S_ISREG((place / "link").lstat().st_mode)
    (place / "folder").mkdir()
    with pytest.raises(GeneratorError, match=r"folder: a directory in place of a file; hint: move it away$"):
        files.replace({place / "link": b"3", place / "folder": b"4"}, below=place)
    assert (place / "link").read_bytes() == b"1"


def test_replace_keeps_permissions_and_takes_longest_name(place: Path) -> None:
    script, longest = place / "x", place / ("x" * 255)
    script.write_bytes(b"")
    script.chmod(0o751)
    files.replace({script: b"1", longest: b"2"}, below=place)
    assert stat.S_IMODE(script.stat().st_mode) == 0o751
    assert longest.read_bytes() == b"2"


def test_sweep_removes_only_temporary_files(place: Path) -> None:
    (place / "below").mkdir()
    for name in ("kept", "below/.x.winscratch-tmp", ".0123456789abcdef.winscratch-tmp", ".winscratch-tmp.kept"):
        (place / name).write_bytes(b"")
    (place / ".link.winscratch-tmp").symlink_to("kept")
    (place / ".folder.winscratch-tmp").mkdir()
    files.sweep(place, deep=False)
    rest = [".folder.winscratch-tmp", ".winscratch-tmp.kept", "below", "below/.x.winscratch-tmp", "kept"]
    assert listing(place) == rest
    files.sweep(place)
    assert listing(place) == [name for name in rest if "/" not in name]


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(20 << 30)


MAKE: dict[str, Callable[[Path], object]] = {
    "folder": Path.mkdir,
    "pipe": os.mkfifo,
    "socket": _socket,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "sparse": _sparse,
    "long": lambda path: path.write_bytes(bytes(LIMIT + 1)),
    "missing": lambda _: None,
    "link to itself": lambda path: path.symlink_to(path),
}


@pytest.mark.parametrize("kind", MAKE)
def test_read_file_reads_only_regular_files_within_the_limit(kind: str, tmp_path: Path) -> None:
    MAKE[kind](tmp_path / "x")
    with pytest.raises(GeneratorError, match=r"^it: (not a regular file|larger than 1,000 bytes|cannot be read: )"):
        read_file(tmp_path / "x", "it", LIMIT)
    (tmp_path / "y").write_bytes(bytes(LIMIT))
    assert read_file(tmp_path / "y", "it", LIMIT) == bytes(LIMIT)
    (tmp_path / "z").symlink_to("y")
    assert read_file(tmp_path / "z", "it") == bytes(LIMIT)
    with pytest.raises(GeneratorError, match=r"^it: cannot be read: "):
        read_file(tmp_path / "z", "it", follow=False)
