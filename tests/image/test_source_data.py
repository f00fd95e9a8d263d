# SPDX-License-Identifier: Apache-2.0
"""Sources from Python that are bytes or open files: the same image as of files on disk."""

import io
import subprocess
import tracemalloc
from pathlib import Path
from typing import Any, cast

import pytest
from helpers import image_runs
from helpers.programs import pe

from generator.base.errors import GeneratorError
from generator.image import Options, SourceData, SourceTable, make

MIB = 1 << 20
CONTENT = pe() + bytes(range(256)) * 5000


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", image_runs.cache())


def image(top: Path, *sources: Any, name: str = "out", **options: Any) -> str:
    made = make(Options(source=sources, to=(f"oci:{top}/{name}:1",), **options), note=lambda _: None)
    assert sorted(path.name for path in top.iterdir() if path.name.startswith(".")) == []
    return made.digest


@pytest.mark.parametrize("kind", ["bytes", "bytearray", "memoryview", "BytesIO", "a file", "a pipe", "at a position"])
def test_data_gives_the_same_image_as_a_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "hello.exe"
    path.write_bytes(CONTENT)
    wanted = image(tmp_path, SourceTable(path=path, to=r"C:\app\run.exe"), name="wanted", entrypoint=("/app/run.exe",))
    late = io.BytesIO(b"before" + CONTENT)
    late.seek(6)
    with path.open("rb") as file, subprocess.Popen(["cat", path], stdout=subprocess.PIPE) as cat:
        data: dict[str, Any] = {
            "bytes": CONTENT,
            "bytearray": bytearray(CONTENT),
            "memoryview": memoryview(CONTENT),
            "BytesIO": io.BytesIO(CONTENT),
            "a file": file,
            "a pipe": cat.stdout,
            "at a position": late,
        }
        source = SourceData(data=data[kind], to=r"C:\app\run.exe")
        assert image(tmp_path, source, entrypoint=("/app/run.exe",)) == wanted
        cat.kill()


def test_data_has_the_options_of_a_table_and_is_read_once_for_all_platforms(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"content")
    options: Any = {"to": "/f", "security": "none", "attributes": ("hidden",), "platform": "windows/arm64"}
    sources = [SourceTable(path=tmp_path / "f", **options), SourceData(data=io.BytesIO(b"content"), **options)]
    platforms = ("windows/amd64", "windows/arm64:10.0.1", "windows/arm64:10.0.2")
    digests = [
        image(tmp_path, each, f"{tmp_path}/f:/g", name=f"out{n}", platform=platforms) for n, each in enumerate(sources)
    ]
    assert len(set(digests)) == 1


def test_data_does_not_keep_the_time_of_a_file(tmp_path: Path) -> None:
    fixed = image(tmp_path, SourceData(data=b"x", to="/f"), name="one")
    assert image(tmp_path, SourceData(data=b"x", to="/f"), name="two", times="keep") == fixed


def test_a_large_file_object_takes_little_memory(tmp_path: Path) -> None:
    class Large(io.RawIOBase):
        left = 64 * MIB

        def readable(self) -> bool:
            return True

        def read(self, size: int = -1) -> bytes:
            assert 0 < size <= MIB
            part = bytes(min(size, self.left))
            self.left -= len(part)
            return part

    tracemalloc.start()
    try:
        image(tmp_path, SourceData(data=cast("Any", Large()), to="/large"))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 32 * MIB


class Broken:
    """A file that fails, or whose read() is not that of a binary file."""

    def __init__(self, answer: object) -> None:
        self._answer = answer

    def read(self, _size: int) -> Any:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


CLOSED = io.BytesIO()
CLOSED.close()


@pytest.mark.parametrize(
    ("data", "to", "why"),
    [
        ("text", "/f", "source /f: data is of type str; hint: bytes, or a file opened in mode rb"),
        (7, "/f", "source /f: data is of type int; hint: bytes"),
        (io.StringIO("text"), "/f", r"source /f: read\(\) of data returned str; hint: a file opened in mode rb"),
        (Broken(None), "/f", r"source /f: read\(\) of data returned NoneType; hint: "),
        (Broken(OSError(5, "Input/output error")), "/f", "source /f: data cannot be read: .*Input/output error"),
        (CLOSED, "/f", "source /f: data cannot be read: I/O operation on closed file"),
        (b"", "", r"source: data without a file's path; hint: to="),
        (b"", "/app/", r"source: data without a file's path; hint: to="),
        (b"", "f", "source f: to = 'f' must begin with"),
        (b"", "/con", "DEST /con: a part of the path is a device name"),
    ],
)
def test_data_that_cannot_be_read_is_refused_in_one_line(data: Any, to: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(GeneratorError, match=why) as error:
        image(tmp_path, SourceData(data=data, to=to))
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_data_keeps_no_times(tmp_path: Path) -> None:
    with pytest.raises(GeneratorError, match="source /f: data has no time to keep; hint: give time"):
        image(tmp_path, SourceData(data=b"", to="/f", times="keep"))


def test_two_sources_of_data_at_one_path_are_named_by_their_paths(tmp_path: Path) -> None:
    with pytest.raises(GeneratorError, match="C:/f: both source /f and source /f go there") as error:
        image(tmp_path, SourceData(data=b"1", to="/f"), SourceData(data=b"2", to="/f"), one_layer=True)
    assert str(tmp_path) not in str(error.value)
