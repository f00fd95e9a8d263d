# SPDX-License-Identifier: Apache-2.0
"""The Python writer of layers on top: what a list of entries cannot show, such as data, trees and what failed."""

import copy
import io
import itertools
import os
import pickle
import socket
import subprocess
import sys
import tarfile
import tracemalloc
from pathlib import Path
from typing import Any, cast

import pytest
from languages.programs import WRITERS

from generator.builder.wire import ROOT
from generator.oci.files import facts
from generator.security import descriptor

sys.path.insert(0, str(ROOT / "output/python"))
import windows_files as files


class Unseekable(io.RawIOBase):
    """A stream that gives a few bytes at a time and cannot tell how many there are."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        size = min(size, 7) if size >= 0 else 7
        data, self._data = self._data[:size], self._data[size:]
        return data


class Failing(io.BytesIO):
    """A file on a full disk: it takes *room* bytes."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room = room

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > self._room:
            raise OSError(28, "No space left on device")
        return super().write(data)


class Sparing(io.RawIOBase):
    """A raw file that takes a part of what it is given."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.data += data[:100]
        return len(data[:100])


def layer_of(data: Any, **options: Any) -> bytes:
    out = io.BytesIO()
    with files.Writer(out) as layer:
        layer.add("f", data, **options)
    return out.getvalue()


def names(data: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return archive.getnames()


def test_data_can_be_bytes_a_file_from_where_it_stands_or_a_stream_of_known_size(tmp_path: Path) -> None:
    wanted = layer_of(b"hello" * 300)
    assert layer_of(bytearray(b"hello" * 300)) == wanted
    assert layer_of(memoryview(b"hello" * 300)) == wanted
    (tmp_path / "file").write_bytes(b"skipped" + b"hello" * 300)
    with (tmp_path / "file").open("rb") as file:
        file.seek(7)
        assert layer_of(file) == wanted
    assert layer_of(Unseekable(b"hello" * 300), size=1500) == wanted


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


class Odd:
    """A stream that answers every call with the same."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def read(self, _: int) -> Any:
        return self.answer

    write = read


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (b"longer than asked", files.FilesError, "the data is shorter or longer than the size"),
        ("text", TypeError, "data: bytes expected, not str"),
        (None, BlockingIOError, "reading would block"),
    ],
)
def test_a_stream_that_answers_wrongly_fails_the_layer(answer: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        layer_of(Odd(answer), size=4)


def test_an_output_that_takes_nothing_fails_and_one_that_says_nothing_has_taken_all() -> None:
    with pytest.raises(files.FilesError) as refused:
        files.Writer(Odd(0)).close()
    assert refused.value.code == "output"
    files.Writer(Odd(None)).close()

    class Blocked(io.RawIOBase):
        def write(self, _: Any) -> None:
            return None

    with pytest.raises(BlockingIOError, match="writing would block"):
        files.Writer(Blocked()).close()


def test_a_stream_without_a_size_is_refused() -> None:
    with pytest.raises(files.FilesError) as refused:
        layer_of(Unseekable(b"hello"))
    assert refused.value.code == "size"
    with pytest.raises(files.FilesError) as refused:
        layer_of(Odd(b""))
    assert refused.value.code == "size"


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


def test_a_refused_entry_leaves_what_is_written_whole_and_fails_the_layer() -> None:
    out = io.BytesIO()
    layer = files.Writer(out)
    layer.add("a", b"1")
    before = out.getvalue()
    with pytest.raises(files.FilesError) as first:
        layer.add("new/NUL", b"2")
    assert out.getvalue() == before
    for call in (lambda: layer.add("b", b"3"), layer.close, layer.close, lambda: layer.add_whiteout("c")):
        with pytest.raises(files.FilesError) as again:
            call()
        assert again.value is not first.value
        assert again.value.__cause__ is first.value
        assert (again.value.code, again.value.path) == ("device", "new/NUL")
    assert out.getvalue() == before
    assert names(before + files.END) == ["Hives", "Files", "Files/a"]


def test_a_full_disk_is_reported_again_at_close() -> None:
    out = Failing(4096)
    layer = files.Writer(out)
    with pytest.raises(OSError, match="No space left"):
        layer.add("a", b"1" * 10_000)
    with pytest.raises(OSError, match="No space left"):
        layer.close()


def test_an_exception_within_is_not_hidden_and_no_end_is_written_then_or_later() -> None:
    out = io.BytesIO()
    layer = files.Writer(out)

    def stop() -> None:
        with layer:
            layer.add("a", b"1")
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        stop()
    with pytest.raises(files.FilesError) as refused:
        layer.close()
    assert isinstance(refused.value.__cause__, KeyError)
    assert not out.getvalue().endswith(files.END)


@pytest.mark.parametrize("stopped", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_what_stops_a_write_is_raised_once_and_an_exception_from_then_on(stopped: type[BaseException]) -> None:
    class Stopping(io.BytesIO):
        def write(self, data: Any) -> int:
            raise stopped(data)

    layer = files.Writer(Stopping())
    with pytest.raises(stopped):
        layer.add("a", b"1")
    for _ in range(2):
        with pytest.raises(files.FilesError) as refused:
            layer.close()
        assert isinstance(refused.value.__cause__, stopped)


def test_errors_can_be_copied_and_pickled() -> None:
    error = files.FilesError("device", "a/NUL")
    for same in (copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301 - our own
        assert (type(same), str(same), same.code, same.path) == (files.FilesError, str(error), "device", "a/NUL")
    assert repr(error) == "FilesError('device', 'a/NUL')"


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"path": Path("x")}, "path: str expected, not PosixPath"),
    ({"path": b"x"}, "path: str expected, not bytes"),
    ({"target": None}, "target: str expected, not NoneType"),
    ({"size": 1.0}, "size: int expected, not float"),
    ({"attributes": "1"}, "attributes: int expected, not str"),
    ({"descriptor": 1}, "descriptor: str or bytes expected, not int"),
    ({"descriptor": bytearray(20)}, "descriptor: str or bytes expected, not bytearray"),
    ({"time": (0, 0, 0, 0)}, "time: int or Times expected, not tuple"),
]


@pytest.mark.parametrize(("options", "words"), WRONG, ids=[words for _, words in WRONG])
def test_a_wrong_type_is_named_with_its_argument(options: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError) as refused:
        files.header(files.FILE, **{"path": "x", **options})
    assert str(refused.value) == words


def test_a_wrong_type_of_data_folder_or_output_is_named() -> None:
    wrong: Any = "text"
    with pytest.raises(TypeError, match="data: bytes or bytearray or memoryview or IOBase expected, not str"):
        layer_of(wrong)
    with pytest.raises(TypeError, match="folder: str expected, not bytes"):
        files.Writer(io.BytesIO()).add_tree("", os.fsencode("."))
    with pytest.raises(TypeError, match="out: a file expected, not str"):
        files.Writer(wrong)


def test_what_is_public_is_listed_and_cannot_be_changed() -> None:
    public = {name for name in vars(files) if not name.startswith("_")}
    modules = {"annotations", "base64", "errno", "functools", "io", "os", "re", "stat", "TYPE_CHECKING"}
    typing = {"Any", "Literal", "Mapping", "MappingProxyType", "NamedTuple", "Optional", "Protocol", "Union", "cast"}
    assert set(files.__all__) == public - modules - typing
    for table in (files.DESCRIPTORS, files.REASONS):
        with pytest.raises(TypeError):
            table["none"] = table["x"] = ""


def test_a_closed_layer_takes_nothing_more_and_stays_closed() -> None:
    out = io.BytesIO()
    layer = files.Writer(out)
    layer.close()
    layer.close()
    with pytest.raises(files.FilesError) as refused:
        layer.add("a", b"1")
    assert refused.value.code == "closed"
    assert names(out.getvalue()) == ["Hives", "Files"]


def test_an_error_is_one_line_with_path_and_reason() -> None:
    with pytest.raises(files.FilesError) as refused:
        files.header(files.FILE, "a\n" + "b" * 1000)
    line = str(refused.value)
    assert line.isprintable()
    assert len(line) < 400
    assert line.endswith(files.REASONS["character"])


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(files.FilesError) as refused:
        files.header("fifo", "a")
    assert refused.value.code == "kind"


def test_a_time_that_is_not_an_integer_is_refused() -> None:
    fractions: tuple[Any, ...] = (7e9, files.Times(0, 0, 0, cast("int", 7e9)), files.Times(cast("int", 7e9), 0, 0, 0))
    for time in fractions:
        with pytest.raises(TypeError, match=r"time: int.* expected, not float"):
            files.header(files.FILE, "x", time=time)
    assert b" LIBARCHIVE.creationtime=7\n" in files.header(files.FILE, "x", time=files.Times(0, 0, 0, 7 * 10**9))


def test_exact_descriptors_are_accepted_and_truncated_ones_refused() -> None:
    taken = refused = 0
    for good in (good for both in facts().compiled().values() for good in both if good):
        for at, value in itertools.product(range(len(good)), (0, 1, 2, 4, 16, 255)):
            changed = good[:at] + bytes([value]) + good[at + 1 :]
            try:
                descriptor.from_bytes(changed)
            except descriptor.DescriptorError:
                refused += 1
                continue
            assert files.header(files.FILE, "x", descriptor=changed)
            taken += 1
        for length in range(20, len(good)):
            with pytest.raises(files.FilesError, match="the security descriptor is unknown or damaged"):
                files.header(files.FILE, "x", descriptor=good[:length])
    assert taken > 1000
    assert refused > 500


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
    assert kept < 600_000
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


@pytest.mark.parametrize("language", [name for name, user in WRITERS.items() if user.trees])
def test_every_language_makes_the_same_layer_of_the_same_tree(language: str, folder: Path, tmp_path: Path) -> None:
    program = WRITERS[language].files(tmp_path)
    for own_times in (False, True):
        command = [*program, "tree", folder, "app/data", "own" if own_times else "one"]
        made = subprocess.run(command, capture_output=True, check=True).stdout
        assert made == tree_of(folder, "app/data", own_times=own_times)
