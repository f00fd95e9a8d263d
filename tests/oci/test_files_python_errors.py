# SPDX-License-Identifier: Apache-2.0
"""The Python writer of layers on top: its errors, wrong types, and what failed."""

import copy
import io
import itertools
import os
import pickle
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from helpers.layer_streams import Failing, Odd, Unseekable, layer_of, names

from generator.builder.wire import ROOT
from generator.oci.files import facts
from generator.security import descriptor

sys.path.insert(0, str(ROOT / "output/python"))
import windows_files as files


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


@pytest.mark.parametrize("error", [OSError("full"), io.UnsupportedOperation("not writable")])
def test_an_error_without_a_number_keeps_its_message(error: OSError) -> None:
    class Refusing(io.BytesIO):
        def write(self, _: Any) -> int:
            raise error

    layer = files.Writer(Refusing())
    with pytest.raises(type(error)):
        layer.add("a", b"1")
    with pytest.raises(OSError, match=str(error)) as again:
        layer.close()
    assert str(again.value) == str(error)
    assert again.value.__cause__ is error


def test_an_exception_within_is_not_hidden_and_no_end_is_written_then_or_later() -> None:
    out = io.BytesIO()
    layer = files.Writer(out)

    def stop() -> None:
        with layer:
            layer.add("a", b"1")
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        stop()
    with pytest.raises(RuntimeError, match="the layer has failed: KeyError") as refused:
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
        with pytest.raises(RuntimeError, match=f"the layer has failed: {stopped.__name__}") as refused:
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
    ({"size": None}, "size: int expected, not NoneType"),
    ({"descriptor": None}, "descriptor: str or bytes expected, not NoneType"),
    ({"time": None}, "time: int or Times expected, not NoneType"),
    ({"time": (0, 0, 0, 0)}, "time: int or Times expected, not tuple"),
]


@pytest.mark.parametrize(("options", "words"), WRONG, ids=[words for _, words in WRONG])
def test_a_wrong_type_is_named_with_its_argument(options: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError) as refused:
        files.header(files.FILE, **{"path": "x", **options})
    assert str(refused.value) == words


def test_a_wrong_type_of_data_folder_or_output_is_named() -> None:
    wrong: Any = "text"
    with pytest.raises(TypeError, match="data: bytes or a binary file expected, not str"):
        layer_of(wrong)
    with pytest.raises(TypeError, match="folder: str or PathLike expected, not bytes"):
        files.Writer(io.BytesIO()).add_tree("", os.fsencode("."))
    with pytest.raises(TypeError, match="out: a file expected, not str"):
        files.Writer(wrong)


def test_a_wrong_type_leaves_the_layer_as_it_was() -> None:
    out, wrong = io.BytesIO(), cast("Any", 1)
    with files.Writer(out) as layer:
        for call in (layer.add, layer.add_symlink, layer.add_hardlink, layer.add_tree):
            with pytest.raises(TypeError, match="expected, not int"):
                call("a", wrong)
        for name in ("add_directory", "add_whiteout"):
            with pytest.raises(TypeError, match="path: str expected, not int"):
                getattr(layer, name)(wrong)
        with pytest.raises(TypeError, match="time: int or Times expected, not str"):
            layer.add_directory("a", time="now")
    assert out.getvalue() == files.roots() + files.END


def test_a_bad_path_is_reported_before_bad_data() -> None:
    for data, size in ((b"12", 3), (Unseekable(b"12"), None), (io.StringIO(), None)):
        with pytest.raises(files.FilesError) as refused:
            files.Writer(io.BytesIO()).add("NUL", data, size=size)
        assert refused.value.code == "device"


def test_what_is_public_is_listed_and_cannot_be_changed() -> None:
    public = {name for name in vars(files) if not name.startswith("_")}
    modules = {"annotations", "base64", "errno", "functools", "io", "os", "re", "stat"}
    typing = {"Any", "Final", "Literal", "Mapping", "NamedTuple", "Protocol", "Union", "cast"}
    assert set(files.__all__) == public - modules - typing - {"MappingProxyType", "TracebackType"}
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


def test_an_error_of_the_whole_layer_has_no_path() -> None:
    with pytest.raises(files.FilesError) as refused:
        files.roots(1 << 64)
    assert (refused.value.path, str(refused.value)) == ("", files.REASONS["time"])
    assert str(files.FilesError("closed", "")) == files.REASONS["closed"]


def test_a_long_path_is_cut_in_the_message() -> None:
    assert str(files.FilesError("closed", "x" * 200)) == f"'{'x' * 200}': {files.REASONS['closed']}"
    assert str(files.FilesError("closed", "x" * 201)) == f"'{'x' * 200}'...: {files.REASONS['closed']}"


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(files.FilesError) as refused:
        files.header("fifo", "a")
    assert refused.value.code == "kind"
    wrong: tuple[Any, ...] = ([], 1)
    for kind in wrong:
        with pytest.raises(TypeError, match=f"kind: str expected, not {type(kind).__name__}"):
            files.header(kind, "a")


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
