# SPDX-License-Identifier: Apache-2.0
"""The cache of compressed layers: it saves the work, and whatever becomes of it, a layer is what its files are."""

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
from typing import Any

import pytest
from helpers.layer_runs import fill, make, tar_of

from generator.base.errors import GeneratorError
from generator.base.folders import Folders
from generator.base.home import TEMPORARY
from generator.builder.wire import ROOT
from generator.image.cache import Cache, Record, open_cache, still
from generator.image.layers import make_layers
from generator.image.model import LayerOptions, Source
from generator.image.sources import SourceEntry, Stamp, collect

MIB = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of a few members, whose files are old enough to be known again."""
    made = fill(tmp_path / "in", [f"small/{number}" for number in range(50)])
    (made / "big").write_bytes(random.Random(8).randbytes(MIB) + b"x" * (2 * MIB + 5))  # noqa: S311
    time.sleep(0.15)
    return made


def stored(tmp_path: Path, kind: str = "") -> list[Path]:
    return sorted(path for path in (tmp_path / "cache/winscratch/layers").iterdir() if path.name.startswith(kind))


def forbid_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def written(*_: object) -> None:
        raise AssertionError("the files are read")

    monkeypatch.setattr("generator.image.layers.write_layer", written)


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
def test_whatever_changes_is_seen(change: str, folder: Path, tmp_path: Path) -> None:
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    (first,) = make(tmp_path / "one", folder)
    CHANGES[change](folder)
    for path, modified in times.items():
        if path.exists() and not path.is_symlink():
            os.utime(path, ns=(modified, modified))
    (second,) = make(tmp_path / "two", folder)
    (clean,) = make(tmp_path / "three", folder, cache=False)
    assert second.digest == clean.digest != first.digest


def test_a_file_that_changes_again_at_once_is_seen(tmp_path: Path) -> None:
    """Within one step of the system's clock a second change leaves no trace in a file's stamp."""
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
        (1_000_000_000, 3_000_000_000, False),  # perhaps whole seconds are all that the system counts
        (1_000_000_000, 3_100_000_001, True),
        (9_000_000_001, 1_000_000_000, False),
    ],
)
def test_a_record_is_kept_where_a_change_would_show(changed: int, started: int, answer: bool) -> None:
    stamp = Stamp(1, 2, 3, 0, changed, 0o100644, 1)
    assert still([SourceEntry("x", "file", "x", stamp), SourceEntry("y", "directory")], started) is answer


def test_options_that_change_the_bytes_are_not_mixed_up(folder: Path, tmp_path: Path) -> None:
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


# ---------------------------------------------------------------------------------------------
# What can become of a cache


def instead(make_another: Callable[[Path], object]) -> Callable[[Path], object]:
    """Return what removes a file and has another thing stand in its place."""

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


@pytest.mark.parametrize("kind", ["member", "record", ""])
@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_changes_no_byte_of_a_layer(damage: str, kind: str, folder: Path, tmp_path: Path) -> None:
    (first,) = make(tmp_path / "one", folder)
    for path in stored(tmp_path, kind):
        DAMAGE[damage](path)
    (second,) = make(tmp_path / "two", folder)
    assert (first.digest, first.diff_id) == (second.digest, second.diff_id)


def test_no_flipped_bit_changes_a_byte_of_a_layer(folder: Path, tmp_path: Path) -> None:
    (first,) = make(tmp_path / "one", folder)
    chosen = random.Random(9)  # noqa: S311
    for number in range(80):
        path = chosen.choice(stored(tmp_path, ("member", "record")[number % 2]))
        data = bytearray(path.read_bytes())
        data[chosen.randrange(len(data))] ^= 1 << chosen.randrange(8)
        path.write_bytes(data)
        (second,) = make(tmp_path / f"two{number}", folder)
        assert (first.digest, first.diff_id) == (second.digest, second.diff_id)


def test_members_that_were_exchanged_with_their_checksums_right_are_not_believed(folder: Path, tmp_path: Path) -> None:
    (first,) = make(tmp_path / "one", folder)
    paths = stored(tmp_path, "member")
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


def test_a_forged_member_with_all_checksums_right_is_not_believed(tmp_path: Path) -> None:
    """Same size, CRC-32 and name, other content: only what it unpacks to tells."""
    from generator.image.compress import pack

    opened = open_cache(print, {"XDG_CACHE_HOME": str(tmp_path)})
    assert opened is not None
    data = b"a" * 1000
    good = pack(data, 6, opened)
    unpacker = zlib.compressobj(9, wbits=-15)
    body = unpacker.compress(b"b" * 1000) + unpacker.flush()
    opened.put_member(good.name, good.data[:10] + body + good.data[-8:])
    assert pack(data, 6, opened) == good


def test_a_record_that_leads_to_other_bytes_is_not_believed(folder: Path, tmp_path: Path) -> None:
    (first,) = make(tmp_path / "one", folder)
    opened = open_cache(print, {"XDG_CACHE_HOME": str(tmp_path / "cache")})
    (name,) = [path.name for path in stored(tmp_path, "record")]
    assert opened is not None
    record = opened.record(name)
    assert record is not None
    for forged in (
        record._replace(members=record.members[1:]),
        record._replace(members=[*record.members, record.members[0]]),
        record._replace(members=[]),
        record._replace(members=["../../../in/big"]),
        record._replace(size=1),
        record._replace(digest="sha256:" + "0" * 64),
    ):
        opened.put_record(name, Record(*forged))
        (second,) = make(tmp_path / f"two{id(forged)}", folder)
        assert (first.digest, first.diff_id, first.size) == (second.digest, second.diff_id, second.size)


def test_a_cache_keeps_to_its_bound_and_loses_what_was_not_used_for_longest(tmp_path: Path) -> None:
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


def test_a_layer_larger_than_the_bound_fills_it_and_no_more(tmp_path: Path) -> None:
    top = tmp_path / "in"
    top.mkdir()
    (top / "random").write_bytes(os.urandom(6 * MIB))
    (tmp_path / "out").mkdir()
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "WINSCRATCH_CACHE_MIB": "3"}
    make_layers([Source(top)], LayerOptions(), tmp_path / "out", note=print, environment=environment)
    assert MIB < sum(path.stat().st_size for path in stored(tmp_path)) <= 3 * MIB
    assert not stored(tmp_path, "record")  # which would lead to members that are not there


def test_what_a_killed_run_left_is_removed_in_time(folder: Path, tmp_path: Path) -> None:
    make(tmp_path / "one", folder)
    old, new = (tmp_path / f"cache/winscratch/layers/.{name}{TEMPORARY}" for name in ("old", "new"))
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    (folder / "small/7").write_text("changed")
    make(tmp_path / "two", folder)
    assert not old.exists()
    assert new.exists()


def test_a_cache_that_others_can_write_to_is_not_used(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "cache/winscratch/layers"
    place.mkdir(parents=True)
    place.chmod(0o777)
    said: list[str] = []
    make(tmp_path / "one", folder, said=said)
    assert said == [f"{place}: not used as cache, since others can write there; remove it, and it is made anew"]
    assert not list(place.iterdir())
    place.rmdir()
    place.symlink_to(tmp_path)
    make(tmp_path / "two", folder, said=said)
    assert len(said) == 2


@pytest.mark.parametrize("home", ["/proc/none", "/dev/null/x", "/nul\0", "relative"])
def test_a_cache_that_cannot_be_is_done_without(home: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    opened = open_cache(print, {"XDG_CACHE_HOME": home})
    assert (opened is None) == (home != "relative")
    assert (tmp_path / ".cache/winscratch/layers").is_dir() == (home == "relative")


def test_a_full_disk_of_the_cache_is_no_error(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    (first,) = make(tmp_path / "one", folder)
    assert stored(tmp_path) == []
    (second,) = make(tmp_path / "two", folder, cache=False)
    assert first.digest == second.digest


@pytest.mark.parametrize("text", ["-1", "1.5", "many", "٣", "9" * 10])
def test_a_setting_that_is_no_number_is_refused(text: str) -> None:
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
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)
blob, = make_layers([Source(Path(sys.argv[1]))], LayerOptions(), work, note=print)
print(blob.digest)
"""


def start(folder: Path, work: Path, cache: Path, *, kill: int = 0, **environment: str) -> "subprocess.Popen[str]":
    """Start a run, which kills itself before it does its *kill*-th thing with a file of the cache."""
    work.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(folder), str(work), str(kill)],
        cwd=ROOT,
        env=os.environ | {"XDG_CACHE_HOME": str(cache)} | environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_several_runs_at_once_share_a_cache_that_is_far_too_small(folder: Path, tmp_path: Path) -> None:
    (wanted,) = make(tmp_path / "clean", folder, cache=False)
    for _ in range(3):
        runs = [start(folder, tmp_path / "work", tmp_path / "cache", WINSCRATCH_CACHE_MIB="2") for _ in range(4)]
        for run in runs:
            said, _ = run.communicate()
            assert run.returncode == 0
            assert said.split()[-1] == wanted.digest


def test_a_kill_at_any_point_leaves_a_cache_that_serves(folder: Path, tmp_path: Path) -> None:
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
    assert point > 10


def test_collecting_alone_writes_nothing(folder: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    with Folders() as folders:
        collect([Source(folder)], (), print, folders)
    assert sorted(tmp_path.rglob("*")) == before


def test_what_other_users_could_write_is_not_taken(folder: Path, tmp_path: Path) -> None:
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
def test_a_record_of_another_shape_is_none(text: bytes, folder: Path, tmp_path: Path) -> None:
    make(tmp_path / "one", folder)
    (record,) = stored(tmp_path, "record")
    record.write_bytes(hashlib.sha256(text).hexdigest().encode() + b"\n" + text)
    assert opened_cache(tmp_path).record(record.name) is None


def test_a_change_through_shared_memory_is_seen(tmp_path: Path) -> None:
    kind = subprocess.run(["stat", "-f", "-c", "%T", tmp_path], capture_output=True, text=True, check=True)
    if kind.stdout.strip() == "tmpfs":
        pytest.skip("tmpfs tells of no such change, as the document says")
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
