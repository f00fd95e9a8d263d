# SPDX-License-Identifier: Apache-2.0
"""The Python writer of layers on top: what a list of entries cannot show, such as data, trees and what failed."""

import errno
import io
import os
import socket
import subprocess
import sys
import tarfile
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from helpers.layer_streams import Sparing, Unseekable, layer_of, names
from languages.programs import WRITERS

from generator.builder.wire import ROOT

sys.path.insert(0, str(ROOT / "output/python"))
import windows_files as files


def test_data_can_be_bytes_a_file_from_where_it_stands_or_a_stream_of_known_size(tmp_path: Path) -> None:
    wanted = layer_of(b"hello" * 300)
    assert layer_of(bytearray(b"hello" * 300)) == wanted
    assert layer_of(memoryview(b"hello" * 300)) == wanted
    (tmp_path / "file").write_bytes(b"skipped" + b"hello" * 300)
    with (tmp_path / "file").open("rb") as file:
        file.seek(7)
        assert layer_of(file) == wanted
    assert layer_of(Unseekable(b"hello" * 300), size=1500) == wanted


def test_a_file_whose_seek_returns_nothing_is_measured() -> None:
    """SpooledTemporaryFile is one, before Python 3.11."""

    class Silent(io.BytesIO):
        def seek(self, *words: int) -> None:  # type: ignore[override]
            super().seek(*words)

    assert layer_of(Silent(b"hello" * 300)) == layer_of(b"hello" * 300)


@pytest.mark.parametrize("size", [1499, 1501, 0, 1 << 40])
def test_data_that_is_not_as_long_as_its_size_fails_the_layer(size: int) -> None:
    streams = (io.BytesIO(b"hello" * 300), Unseekable(b"hello" * 300)) if size > 1500 else ()
    for data in (b"hello" * 300, bytearray(1500), memoryview(bytes(1500)), *streams):
        with pytest.raises(files.FilesError) as refused:
            layer_of(data, size=size)
        assert (refused.value.code, refused.value.path) == ("data", "f")


def test_no_byte_behind_the_size_is_read() -> None:
    for stream in (io.BytesIO(b"hello" * 300), Unseekable(b"hello" * 300)):
        assert layer_of(stream, size=1499) == layer_of((b"hello" * 300)[:1499])
        assert stream.read() == b"o"
        assert layer_of(stream, size=0) == layer_of(b"")


def test_a_raw_file_that_takes_a_part_gets_the_rest() -> None:
    out = Sparing()
    with files.Writer(out) as layer:
        layer.add("f", b"hello" * 300)
    assert bytes(out.data) == layer_of(b"hello" * 300)


def test_an_ordinary_socket_takes_a_layer() -> None:
    here, there = socket.socketpair()
    with here, there, here.makefile("wb") as out:
        with files.Writer(out) as layer:
            layer.add("f", b"hello")
        out.flush()
        assert there.recv(1 << 16, socket.MSG_WAITALL | socket.MSG_DONTWAIT) == layer_of(b"hello")


def test_the_core_makes_what_the_writer_writes() -> None:
    core = files.roots() + files.header(files.FILE, "f", size=5) + b"hello" + files.padding(5) + files.END
    assert core == layer_of(b"hello")


def test_memory_grows_by_names_alone() -> None:
    """A thousand directories deep, a path of 2,000 characters must not be kept for each of its parents."""

    class Nowhere(io.RawIOBase):
        def write(self, data: Any) -> int:
            return len(data)

    layer = files.Writer(Nowhere())
    layer.add("warm", b"")
    tracemalloc.start()
    layer.add("/".join(["d"] * 1000) + "/f", bytes(1 << 20))
    kept, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 650_000
    assert most < kept + (2 << 20)


# ---------------------------------------------------------------------------------------------
# Trees


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with files, links and names that sort differently by parts and by whole paths."""
    top = tmp_path / "tree"
    for path in ("a/b/c.txt", "a-b", "a.txt", "B/x", "größe/日本", "\uffee", "🦀", "empty/"):
        target = top / path
        if path.endswith("/"):
            target.mkdir(parents=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(path, "utf-8")
            os.utime(target, ns=(1, 1_600_000_000_123_456_789))
    (top / "link").symlink_to("a.txt")
    (top / "linked").symlink_to("a/b")
    (top / "broken").symlink_to("../nothing")
    return top


def tree_of(folder: Path, path: str = "", **options: Any) -> bytes:
    out = io.BytesIO()
    with files.Writer(out) as layer:
        layer.add_tree(path, folder, **options)
    return out.getvalue()


def test_a_tree_is_in_the_order_of_names_with_each_directorys_content_behind_it(folder: Path) -> None:
    found = names(tree_of(folder))[2:]
    directory = ["B", "B/x", "a", "a/b", "a/b/c.txt", "a-b", "a.txt", "broken", "empty", "größe", "größe/日本"]
    assert found == ["Files/" + name for name in [*directory, "link", "linked", "\uffee", "🦀"]]


def test_links_of_a_tree_stay_links_of_their_kind(folder: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(tree_of(folder, "app"))) as archive:
        links = {member.name: member for member in archive if member.issym()}
    kinds = {name: (member.linkname, member.pax_headers["MSWINDOWS.fileattr"]) for name, member in links.items()}
    assert kinds == {
        "Files/app/link": ("a.txt", "1056"),
        "Files/app/linked": ("a/b", "1040"),
        "Files/app/broken": ("../nothing", "1056"),
    }


def test_a_tree_has_the_layers_time_or_each_entry_its_own(folder: Path) -> None:
    assert b"1600000000.1234567\n" in tree_of(folder, own_times=True)
    assert b"1600000000" not in tree_of(folder)


def test_trees_can_lie_on_one_another_and_meet_where_they_have_the_same_directories(folder: Path) -> None:
    other = folder.parent / "other"
    (other / "a/b").mkdir(parents=True)
    (other / "a/b/more").write_text("more")
    out = io.BytesIO()
    with files.Writer(out) as layer:
        layer.add_tree("", folder)
        layer.add_tree("", other)
    assert len(names(out.getvalue())) == len(set(names(out.getvalue()))) == 18
    layer = files.Writer(io.BytesIO())
    layer.add_tree("", folder)
    with pytest.raises(files.FilesError) as refused:
        layer.add_tree("A", other)
    assert refused.value.code == "case"


@pytest.mark.parametrize(
    "bad", ["a socket", "a name that is not Unicode", "a name that Windows cannot hold", "no folder"]
)
def test_what_cannot_be_in_a_layer_is_refused_with_its_path(bad: str, tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    codes: dict[str, tuple[type[Exception], str]] = {
        "a socket": (files.FilesError, "kind"),
        "a name that is not Unicode": (files.FilesError, "unicode"),
        "a name that Windows cannot hold": (files.FilesError, "device"),
        "no folder": (NotADirectoryError, ""),
    }
    if bad == "a socket":
        os.mkfifo(top / "pipe")
    elif bad == "a name that is not Unicode":
        (top / os.fsdecode(b"\xff")).write_bytes(b"")
    elif bad == "a name that Windows cannot hold":
        (top / "aux.h").write_bytes(b"")
    else:
        top = top / "file"
        top.write_bytes(b"")
    kind, code = codes[bad]
    with pytest.raises(kind) as refused:
        tree_of(top, "app")
    assert getattr(refused.value, "code", "") == code


@pytest.mark.parametrize("other", ["link", "pipe"])
def test_a_file_that_is_exchanged_before_it_is_opened_is_not_followed(
    other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "top").mkdir()
    file = tmp_path / "top/file"
    file.write_text("harmless")
    (tmp_path / "secret").write_text("secret")
    lstat = os.lstat

    def exchanged(path: str) -> os.stat_result:
        found = lstat(path)
        file.unlink()
        file.symlink_to(tmp_path / "secret") if other == "link" else os.mkfifo(file)
        return found

    monkeypatch.setattr(os, "lstat", exchanged)
    with pytest.raises(OSError if other == "link" else files.FilesError) as refused:
        tree_of(tmp_path / "top")
    assert getattr(refused.value, "errno", "") == (errno.ELOOP if other == "link" else "")
    assert getattr(refused.value, "code", "") == ("" if other == "link" else "kind")


@pytest.mark.parametrize("language", [name for name, user in WRITERS.items() if user.trees])
def test_every_language_makes_the_same_layer_of_the_same_tree(language: str, folder: Path, tmp_path: Path) -> None:
    program = WRITERS[language].files(tmp_path)
    for own_times in (False, True):
        command = [*program, "tree", folder, "app/data", "own" if own_times else "one"]
        made = subprocess.run(command, capture_output=True, check=True).stdout
        assert made == tree_of(folder, "app/data", own_times=own_times)
