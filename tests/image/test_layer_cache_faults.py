# SPDX-License-Identifier: Apache-2.0
"""Damaged, shared, full and untrusted caches of layers: a layer has the bytes of its files all the same."""

import hashlib
import itertools
import mmap
import os
import random
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.layer_runs import MIB, cached_folder, fill, make, stored, tar_of

from generator.base.errors import GeneratorError
from generator.base.folders import Folders
from generator.base.home import TEMPORARY
from generator.builder.wire import ROOT
from generator.image.cache import Cache, CacheRecord, open_cache
from generator.image.compress import compressed
from generator.image.layers import make_layers
from generator.image.model import LayerOptions, Source
from generator.image.sources import collect


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return cached_folder(tmp_path)


def instead(make_another: Callable[[Path], object]) -> Callable[[Path], object]:
    """Return a function that replaces a file by what *make_another* makes."""

    def damage(path: Path) -> None:
        path.unlink()
        make_another(path)

    return damage


DAMAGE: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "gone": Path.unlink,
    "a folder": instead(Path.mkdir),
    "a link": instead(lambda path: path.symlink_to("/etc/passwd")),
    "a link to itself": instead(lambda path: path.symlink_to(path)),
    "a pipe": instead(os.mkfifo),
    "text": lambda path: path.write_text('{"digest": "sha256:0"}\n[]'),
}


@pytest.mark.parametrize("kind", ["chunk", "record", ""])
@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_cache_files_change_no_byte_of_a_layer(damage: str, kind: str, folder: Path, tmp_path: Path) -> None:
    (first,) = make(tmp_path / "one", folder)
    for path in stored(tmp_path, kind):
        DAMAGE[damage](path)
    (second,) = make(tmp_path / "two", folder)
    assert (first.digest, first.diff_id) == (second.digest, second.diff_id)


def test_flipped_bits_in_the_cache_change_no_byte_of_a_layer(folder: Path, tmp_path: Path) -> None:
    (first,) = make(tmp_path / "one", folder)
    chosen = random.Random(9)  # noqa: S311
    for number in range(80):
        path = chosen.choice(stored(tmp_path, ("chunk", "record")[number % 2]))
        data = bytearray(path.read_bytes())
        data[chosen.randrange(len(data))] ^= 1 << chosen.randrange(8)
        path.write_bytes(data)
        (second,) = make(tmp_path / f"two{number}", folder)
        assert (first.digest, first.diff_id) == (second.digest, second.diff_id)


def test_exchanged_members_are_not_used(folder: Path, tmp_path: Path) -> None:
    (first,) = make(tmp_path / "one", folder)
    paths = stored(tmp_path, "chunk")
    contents = [path.read_bytes() for path in paths]
    for path, data in zip(paths, contents[1:] + contents[:1], strict=True):
        path.write_bytes(data)
    (second,) = make(tmp_path / "two", folder)
    for path, data in zip(paths, contents[1:] + contents[:1], strict=True):
        path.write_bytes(data)
    for path in stored(tmp_path, "record"):
        path.unlink()
    (third,) = make(tmp_path / "three", folder)
    assert first.digest == second.digest == third.digest


def test_a_forged_chunk_with_valid_checksums_is_not_used(tmp_path: Path) -> None:
    """Sizes, checksums and name are right, and only the unpacked content differs."""
    opened = open_cache(print, {"XDG_CACHE_HOME": str(tmp_path)})
    assert opened is not None
    good, name = compressed(memoryview(b"a" * 1000), 6, opened)
    stored = opened.chunk(name)
    assert stored is not None
    assert stored.endswith(good)
    forged = good[:10] + zlib.compress(b"b" * 1000, wbits=-15) + zlib.crc32(b"b" * 1000).to_bytes(4, "little")
    forged += good[-4:]
    opened.put_chunk(name, stored[:4] + len(forged).to_bytes(4, "little") + forged)
    assert compressed(memoryview(b"a" * 1000), 6, opened) == (good, name)
    assert opened.chunk(name) == stored


def test_a_forged_record_is_not_used(folder: Path, tmp_path: Path) -> None:
    (first,) = make(tmp_path / "one", folder)
    opened = open_cache(print, {"XDG_CACHE_HOME": str(tmp_path / "cache")})
    (name,) = [path.name for path in stored(tmp_path, "record")]
    assert opened is not None
    record = opened.record(name)
    assert record is not None
    for forged in (
        record._replace(chunks=record.chunks[1:]),
        record._replace(chunks=[*record.chunks, record.chunks[0]]),
        record._replace(chunks=[]),
        record._replace(chunks=["../../../in/big"]),
        record._replace(size=1),
        record._replace(digest="sha256:" + "0" * 64),
    ):
        opened.put_record(name, CacheRecord(*forged))
        (second,) = make(tmp_path / f"two{id(forged)}", folder)
        assert (first.digest, first.diff_id, first.size) == (second.digest, second.diff_id, second.size)


def test_the_cache_drops_the_least_recently_used_files(tmp_path: Path) -> None:
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "WINSCRATCH_CACHE_MIB": "5"}
    for number in range(4):
        top = tmp_path / f"in{number}"
        top.mkdir()
        (top / "random").write_bytes(os.urandom(2 * MIB))
        time.sleep(0.12)
        work = tmp_path / f"out{number}"
        work.mkdir()
        make_layers([Source(top)], LayerOptions(), work, note=print, environment=environment)
        assert sum(path.stat().st_size for path in stored(tmp_path)) <= 5 * MIB
    assert len(stored(tmp_path, "record")) >= 2


def test_a_layer_larger_than_the_limit_fills_the_cache_only_to_the_limit(tmp_path: Path) -> None:
    top = tmp_path / "in"
    top.mkdir()
    (top / "random").write_bytes(os.urandom(6 * MIB))
    (tmp_path / "out").mkdir()
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "WINSCRATCH_CACHE_MIB": "3"}
    make_layers([Source(top)], LayerOptions(), tmp_path / "out", note=print, environment=environment)
    assert MIB < sum(path.stat().st_size for path in stored(tmp_path)) <= 3 * MIB
    assert not stored(tmp_path, "record")  # its members would be missing


def test_old_leftovers_of_killed_runs_are_removed(folder: Path, tmp_path: Path) -> None:
    make(tmp_path / "one", folder)
    old, new = (tmp_path / f"cache/winscratch/layers/.{name}{TEMPORARY}" for name in ("old", "new"))
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    (folder / "small/7").write_text("changed")
    make(tmp_path / "two", folder)
    assert not old.exists()
    assert new.exists()


def test_a_cache_writable_by_other_users_is_not_used(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "cache/winscratch/layers"
    place.mkdir(parents=True)
    place.chmod(0o777)
    said: list[str] = []
    make(tmp_path / "one", folder, said=said)
    assert said == [f"{place}: not used as cache, since other users can write to it; hint: remove it"]
    assert not list(place.iterdir())
    place.rmdir()
    place.symlink_to(tmp_path)
    make(tmp_path / "two", folder, said=said)
    assert len(said) == 2


@pytest.mark.parametrize("home", ["/proc/none", "/dev/null/x", "/nul\0", "relative"])
def test_image_works_without_a_usable_cache_directory(
    home: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    opened = open_cache(print, {"XDG_CACHE_HOME": home})
    assert (opened is None) == (home != "relative")
    assert (tmp_path / ".cache/winscratch/layers").is_dir() == (home == "relative")


def test_a_full_disk_of_the_cache_is_ignored(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    (first,) = make(tmp_path / "one", folder)
    assert stored(tmp_path) == []
    (second,) = make(tmp_path / "two", folder, cache=False)
    assert first.digest == second.digest


@pytest.mark.parametrize("text", ["-1", "1.5", "many", "٣", "9" * 10])
def test_an_invalid_cache_limit_is_refused(text: str) -> None:
    with pytest.raises(GeneratorError, match="WINSCRATCH_CACHE_MIB"):
        open_cache(print, {"WINSCRATCH_CACHE_MIB": text})
    assert open_cache(print, {"WINSCRATCH_CACHE_MIB": "0"}) is None


# ---------------------------------------------------------------------------------------------
# Several runs, and runs that are killed

RUN = """
import os, signal, sys, tempfile
from pathlib import Path
from generator.image.layers import make_layers
from generator.image.model import LayerOptions, Source
work = Path(tempfile.mkdtemp(dir=sys.argv[2]))
left = int(sys.argv[3])

def hook(event, values):
    global left
    if event in {"open", "os.rename", "os.utime", "os.remove", "os.mkdir"} and "/winscratch/layers/" in str(values[0]):
        left -= 1
        if left == 0:
            os.killpg(0, signal.SIGKILL)

sys.addaudithook(hook)
blob, = make_layers([Source(Path(sys.argv[1]))], LayerOptions(), work, note=print)
print(blob.digest)
"""


def start(folder: Path, work: Path, cache: Path, *, kill: int = 0, **environment: str) -> "subprocess.Popen[str]":
    """Start a run; a process of it kills all of them before its *kill*-th access to the cache."""
    work.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(folder), str(work), str(kill)],
        cwd=ROOT,
        env=os.environ | {"XDG_CACHE_HOME": str(cache)} | environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_concurrent_runs_share_a_cache_that_is_too_small(folder: Path, tmp_path: Path) -> None:
    (wanted,) = make(tmp_path / "clean", folder, cache=False)
    for _ in range(3):
        runs = [start(folder, tmp_path / "work", tmp_path / "cache", WINSCRATCH_CACHE_MIB="2") for _ in range(4)]
        for run in runs:
            said, _ = run.communicate()
            assert run.returncode == 0
            assert said.split()[-1] == wanted.digest


def test_a_kill_at_any_point_leaves_a_usable_cache(folder: Path, tmp_path: Path) -> None:
    (wanted,) = make(tmp_path / "clean", folder, cache=False)
    for point in itertools.count(1):
        run = start(folder, tmp_path / "work", tmp_path / "cache", kill=point)
        run.communicate()
        if run.returncode != -signal.SIGKILL:
            break
        (found,) = make(tmp_path / f"after{point}", folder)
        assert found.digest == wanted.digest
        for path in stored(tmp_path):
            path.unlink()
    assert run.returncode == 0
    assert point > 6


def test_collect_writes_nothing(folder: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    with Folders() as folders:
        collect([Source(folder)], (), print, folders)
    assert sorted(tmp_path.rglob("*")) == before


def test_cache_files_writable_by_other_users_are_not_used(folder: Path, tmp_path: Path) -> None:
    (wanted,) = make(tmp_path / "one", folder)
    files = stored(tmp_path)
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    (record,) = stored(tmp_path, "record")
    record.chmod(0o666)
    assert opened_cache(tmp_path).record(record.name) is None
    record.chmod(0o600)
    assert opened_cache(tmp_path).record(record.name) is not None
    record.parent.parent.chmod(0o777)
    assert open_cache(print, {"XDG_CACHE_HOME": str(tmp_path / "cache")}) is None
    record.parent.parent.chmod(0o700)
    assert make(tmp_path / "two", folder)[0].digest == wanted.digest


def opened_cache(tmp_path: Path) -> Cache:
    found = open_cache(print, {"XDG_CACHE_HOME": str(tmp_path / "cache")})
    assert found is not None
    return found


@pytest.mark.parametrize("text", [b"[1,2]", b"[" * 100_000, b'{"digest":1}'])
def test_a_record_of_another_type_is_ignored(text: bytes, folder: Path, tmp_path: Path) -> None:
    make(tmp_path / "one", folder)
    (record,) = stored(tmp_path, "record")
    record.write_bytes(hashlib.sha256(text).hexdigest().encode() + b"\n" + text)
    assert opened_cache(tmp_path).record(record.name) is None


def test_a_change_through_mmap_is_noticed(tmp_path: Path) -> None:
    kind = subprocess.run(["stat", "-f", "-c", "%T", tmp_path], capture_output=True, text=True, check=True)
    if kind.stdout.strip() == "tmpfs":
        pytest.skip("tmpfs does not record changes through mmap(), as the document says")
    folder = fill(tmp_path / "in", ["x"])
    with (folder / "x").open("r+b") as file:
        file.write(b"old".ljust(4096))
        file.flush()
        with mmap.mmap(file.fileno(), 4096) as shared:
            shared[:3] = b"one"
            time.sleep(0.2)
            (first,) = make(tmp_path / "one", folder)
            shared[:3] = b"two"
            (second,) = make(tmp_path / "two", folder)
    assert b"one " in tar_of(first)
    assert b"two " in tar_of(second)
