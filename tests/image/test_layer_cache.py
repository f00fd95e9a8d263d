# SPDX-License-Identifier: Apache-2.0
"""The cache of compressed layers saves work and never changes a layer."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.layer_runs import MIB, cached_folder, fill, make, tar_of

from generator.image.cache import still
from generator.image.sources import SourceEntry, Stamp


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return cached_folder(tmp_path)


def forbid_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def written(*_: object) -> None:
        raise AssertionError("the files are read")

    monkeypatch.setattr("generator.image.layers.ordered", written)


def forbid_compressing(monkeypatch: pytest.MonkeyPatch) -> None:
    def compressed(*_: object) -> None:
        raise AssertionError("something is compressed")

    monkeypatch.setattr("deflate.deflate_compress", compressed)


def test_unchanged_files_are_not_read_again(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make(tmp_path / "one", folder)
    forbid_reading(monkeypatch)
    second = make(tmp_path / "two", folder)
    assert [blob._replace(path=Path()) for blob in first] == [blob._replace(path=Path()) for blob in second]


def test_the_same_content_elsewhere_is_not_compressed_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,) = make(tmp_path / "one", folder)
    other = tmp_path / "moved"
    subprocess.run(["cp", "-r", folder, other], check=True)
    forbid_compressing(monkeypatch)
    (second,) = make(tmp_path / "two", other)
    assert first.digest == second.digest


def rewrite(top: Path) -> None:
    (top / "big").write_bytes(b"y" * (3 * MIB + 5))


def exchange(top: Path) -> None:
    (top / "other").write_bytes(b"z" * (3 * MIB + 5))
    (top / "other").replace(top / "big")


def link(top: Path) -> None:
    (top / "small/7").unlink()
    (top / "small/7").symlink_to("8")


def join(top: Path) -> None:
    (top / "small/7").unlink()
    os.link(top / "small/8", top / "small/7")


CHANGES: dict[str, Callable[[Path], object]] = {
    "content, with size and time as before": rewrite,
    "a file is gone": lambda top: (top / "small/7").unlink(),
    "a file is new": lambda top: (top / "small/new").write_text("new"),
    "a file has another name": lambda top: (top / "small/7").rename(top / "small/seven"),
    "a file is a link": link,
    "a file is another with its size and time": exchange,
    "two files are one": join,
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_noticed(change: str, folder: Path, tmp_path: Path) -> None:
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    (first,) = make(tmp_path / "one", folder)
    CHANGES[change](folder)
    for path, modified in times.items():
        if path.exists() and not path.is_symlink():
            os.utime(path, ns=(modified, modified))
    (second,) = make(tmp_path / "two", folder)
    (clean,) = make(tmp_path / "three", folder, cache=False)
    assert second.digest == clean.digest != first.digest


def test_a_second_change_in_one_clock_step_is_noticed(tmp_path: Path) -> None:
    """The stamp of the file does not show it."""
    folder = fill(tmp_path / "in", ["x"])
    for number in range(60):
        text = f"{number:04}"
        (folder / "x").write_text(text)
        (blob,) = make(tmp_path / f"out{number}", folder)
        assert f"{text}\0".encode() in tar_of(blob)


@pytest.mark.parametrize(
    ("changed", "started", "answer"),
    [
        (1_000_000_001, 1_100_000_001, False),
        (1_000_000_001, 1_100_000_002, True),
        (1_000_000_000, 3_000_000_000, False),  # the file system may store whole seconds only
        (1_000_000_000, 3_100_000_001, True),
        (9_000_000_001, 1_000_000_000, False),
    ],
)
def test_a_record_is_stored_if_a_later_change_would_show(changed: int, started: int, answer: bool) -> None:
    stamp = Stamp(1, 2, 3, 0, changed, 0o100644, 1)
    assert still([SourceEntry("x", "file", "x", stamp), SourceEntry("y", "directory")], started) is answer


def test_the_cache_keeps_layers_of_different_options_apart(folder: Path, tmp_path: Path) -> None:
    varied: list[dict[str, Any]] = [
        {},
        {"security": "user-owned"},
        {"time": 1},
        {"times": "keep"},
        {"compression": "fast"},
        {"exclude": ("small",)},
    ]
    for number, options in enumerate(varied * 2):
        (blob,) = make(tmp_path / f"with{number}", folder, **options)
        (clean,) = make(tmp_path / f"without{number}", folder, cache=False, **options)
        assert blob._replace(path=Path()) == clean._replace(path=Path())
