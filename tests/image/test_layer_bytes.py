# SPDX-License-Identifier: Apache-2.0
"""The bytes of a layer are the same on any number of cores, and made in little memory."""

import hashlib
import os
import random
import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from helpers.counts import thorough
from helpers.layer_runs import fill, make, names, tar_of
from helpers.support import lack, need

from generator.builder.wire import ROOT
from generator.image import cache, compress
from generator.image.model import TAR, Compression, LayerBlob
from generator.oci.files import facts

MEMBER = compress.MEMBER


def mixed(folder: Path) -> Path:
    """Return a folder with files of every size that matters, in part of what cannot be compressed."""
    chosen = random.Random(5)  # noqa: S311
    fill(folder, [f"small/{number:03}" for number in range(300)])
    for size in (0, 1, 511, 512, 65_535, 65_536, 65_537, MEMBER - 1, MEMBER, MEMBER + 1, 3 * MEMBER, 5 * MEMBER + 7):
        (folder / f"size-{size}").write_bytes(chosen.randbytes(size // 2) + b"x" * (size - size // 2))
    return folder


@pytest.mark.parametrize("forks", [True, False])
def test_the_number_of_cores_changes_no_byte(forks: bool, tmp_path: Path) -> None:
    folder = mixed(tmp_path / "in")
    (blob,) = make(tmp_path / "out", folder, cache=False)
    made = subprocess.run([sys.executable, "-c", ON_CORES, folder, tmp_path, f"{forks}"], stdout=-1, check=True)
    assert made.stdout.decode().split() == [blob.digest] * 5


ON_CORES = """
import sys
from pathlib import Path
from generator.image import sources, workers
from generator.image.layers import make_layers
from generator.image.model import LayerOptions, Source

sources._MANY = 2
workers._cores = lambda: 2
_, folder, work, forks = sys.argv
assert workers.can_fork() == (sys.platform == "linux")
if forks == "False":
    workers.can_fork = lambda: False
for cores in (1, 2, 3, 7, 64):
    workers._cores = lambda: cores
    made = Path(work, f"out{cores}")
    made.mkdir()
    (blob,) = make_layers(
        [Source(Path(folder))], LayerOptions(), made, note=print, environment={"WINSCRATCH_CACHE_MIB": "0"}
    )
    print(blob.digest)
"""


@pytest.mark.parametrize("compression", get_args(Compression))
def test_every_compression_holds_the_same_tar(compression: Compression, tmp_path: Path) -> None:
    folder = mixed(tmp_path / "in")
    (blob,) = make(tmp_path / "out", folder, compression=compression)
    (plain,) = make(tmp_path / "plain", folder, compression="none")
    assert blob.diff_id == plain.diff_id == plain.digest
    assert (blob.media_type == TAR) == (compression == "none")


def test_a_blob_is_members_of_at_most_one_mebibyte_and_a_large_file_begins_one(tmp_path: Path) -> None:
    folder = mixed(tmp_path / "in")
    (blob,) = make(tmp_path / "out", folder)
    left = blob.path.read_bytes()
    starts, at = [], 0
    while left:
        unpacker = zlib.decompressobj(wbits=31)
        part = unpacker.decompress(left)
        assert 0 < len(part) <= MEMBER
        starts.append(at)
        at, left = at + len(part), unpacker.unused_data
    tar = tar_of(blob)
    assert at == len(tar)
    for size in (MEMBER, MEMBER + 1, 3 * MEMBER, 5 * MEMBER + 7):
        assert tar.index((folder / f"size-{size}").read_bytes()) in starts


def test_a_growing_file_does_not_change_members_of_later_large_files(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", ["config"])
    (folder / "program").write_bytes(random.Random(6).randbytes(4 * MEMBER))  # noqa: S311
    (first,) = make(tmp_path / "one", folder)
    before = {path.name for path in (tmp_path / "cache/winscratch/layers").iterdir() if path.name.startswith("chunk")}
    (folder / "config").write_text("x" * 100_000)
    (second,) = make(tmp_path / "two", folder)
    after = {path.name for path in (tmp_path / "cache/winscratch/layers").iterdir() if path.name.startswith("chunk")}
    assert first.digest != second.digest
    assert len(before) == 6  # what stands before the program, the program, the end
    assert len(after - before) == 1


@pytest.mark.parametrize("program", ["gzip", "pigz", "busybox", "bsdtar", "7zz"])
def test_other_programs_read_the_members_as_one_gzip(program: str, tmp_path: Path) -> None:
    (blob,) = make(tmp_path / "out", mixed(tmp_path / "in"))
    packed = tmp_path / "layer.tar.gz"
    packed.write_bytes(blob.path.read_bytes())
    command = {
        "gzip": ["-dc", str(packed)],
        "pigz": ["-dc", str(packed)],
        "busybox": ["gzip", "-dc", str(packed)],
        "bsdtar": ["-xOf", str(packed), "Files/size-3145728"],
        "7zz": ["x", "-so", str(packed)],
    }[program]
    done = subprocess.run([need(program), *command], capture_output=True, check=True)
    wanted = tar_of(blob) if program != "bsdtar" else (tmp_path / "in/size-3145728").read_bytes()
    assert hashlib.sha256(done.stdout).hexdigest() == hashlib.sha256(wanted).hexdigest()


def test_progress_is_reported_up_to_the_end(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    folder = mixed(tmp_path / "in")
    make(tmp_path / "out", folder, folder, progress=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1] == 2 * sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert len(told) > 10


# What the last test of this file makes.
DIGESTS = {
    "best": "sha256:a5e4ed37838fa9e2c9e776f1d5986360e54cd497da6d19202f9463204c7496c7",
    "default": "sha256:524f8f1438c63c130c5eee145987b126d0d784c1e50ee825c5fa13a1dd211506",
    "fast": "sha256:d41d81974be511b5771ec54195fde45ecb5da5fb1a812a2e5bfec87be4cc23b1",
    "none": "sha256:027598a5cc58d3794a47c6b2bc59416ddb5141643ebe4921bdbf1e8f4fbe7064",
}
DENSE = "sha256:324e9dc2b70aec7bbcc037d9803f09bf3091db1e1e51b610fd03cd5461ce6b8e"
PEAK = """
import sys
from pathlib import Path
from generator.image import cache, compress
from generator.image.layers import make_layers
from generator.image.model import LayerOptions, Source
compress._cores = lambda: int(sys.argv[3])
blob, = make_layers([Source(Path(sys.argv[1]))], LayerOptions(compression=sys.argv[4]), Path(sys.argv[2]),
                    note=print, environment={"XDG_CACHE_HOME": sys.argv[2]})
status = Path("/proc/self/status").read_text()
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")), blob.diff_id)
"""


def peak(folder: Path, work: Path, cores: int, compression: str = "default") -> tuple[int, str]:
    """Return the peak memory, in bytes, of a process that makes a layer of *folder*, and the diff ID."""
    if not Path("/proc/self/status").exists():
        lack("/proc not found")
    work.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(folder), str(work), str(cores), compression],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    kib, diff_id = done.stdout.split()
    return int(kib) << 10, diff_id


@thorough("reads much")
def test_a_sparse_file_of_1_gb_takes_less_than_100_mb_of_memory(tmp_path: Path) -> None:
    size = 1_000_000_001
    folder = fill(tmp_path / "in", ["a"])
    with (folder / "sparse").open("wb") as file:
        file.truncate(size)
    most, diff_id = peak(folder, tmp_path / "out", os.cpu_count() or 1)
    assert most < 100_000_000
    assert diff_id.startswith("sha256:")
    assert (tmp_path / "out/layer-1").stat().st_size < 10_000_000


@pytest.mark.parametrize("compression", get_args(Compression))
def test_memory_is_bounded_on_many_cores_with_random_data(compression: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    with (folder / "random").open("wb") as file:
        for _ in range(80 if compression != "best" else 12):
            file.write(os.urandom(MEMBER))
    most, _ = peak(folder, tmp_path / "out", 64, compression)
    assert most < (150_000_000 if compression == "best" else 100_000_000)


def test_the_documentation_names_the_levels_and_the_bounds() -> None:
    text = (ROOT / "docs/image-layers.md").read_text("utf-8")
    told = {name: int(level or 0) for name, level in re.findall(r"^\| `(\w+)` \| (\d*) ?\|", text, re.MULTILINE)}
    assert told == compress.LEVELS
    assert f"at most {cache.LIMIT_MIB:,} MiB" in text
    assert f"the {facts().limits.names + 1:,}th name on" in text


def test_deflate_has_the_locked_version() -> None:
    """Another libdeflate may compress to other bytes."""
    import deflate

    pinned = f"deflate=={deflate.__version__}"
    assert f'"{pinned}"' in (ROOT / "pyproject.toml").read_text()
    assert f"\n{pinned} " in (ROOT / "requirements.lock").read_text()


def test_layers_have_the_committed_digests(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "data").write_bytes(b"".join(str(number).encode() for number in range(300_000)))
    fill(folder, ["app/hello.exe", "größe"])
    digests = {
        compression: make(tmp_path / compression, folder, compression=compression)[0].digest
        for compression in get_args(Compression)
    }
    assert names(make(tmp_path / "again", folder)[0]) == ["app", "app/hello.exe", "data", "größe"]
    assert digests == DIGESTS


def members(blob: LayerBlob) -> Iterator[tuple[bytes, bytes]]:
    """Yield the data of each gzip member of a layer, and the member."""
    left = blob.path.read_bytes()
    while left:
        unpacker = zlib.decompressobj(wbits=31)
        data = unpacker.decompress(left)
        yield data, left[: len(left) - len(unpacker.unused_data)]
        left = unpacker.unused_data


def test_only_members_of_random_data_are_the_same_at_the_default_level_as_at_the_fast_one(tmp_path: Path) -> None:
    chosen = random.Random(1)  # noqa: S311
    folder = fill(tmp_path / "in", ["a"])
    data = chosen.randbytes(2 * MEMBER)
    (folder / "random").write_bytes(data)
    (folder / "text").write_bytes(bytes(chosen.choices(b"0123456789abcdef", k=2 * MEMBER)))
    default, fast = (members(*make(tmp_path / level, folder, compression=level)) for level in ("default", "fast"))
    same = [piece for (piece, one), (_, other) in zip(default, fast, strict=True) if one == other]
    assert b"".join(piece for piece in same if len(piece) == MEMBER) == data


def test_members_of_small_entries_are_shorter_and_have_the_committed_digest(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", [f"{number // 50}/{number}" for number in range(800)])
    (folder / "z").write_bytes(bytes(range(256)) * 8000)
    (blob,) = make(tmp_path / "out", folder)
    sizes = [len(data) for data, _ in members(blob)]
    assert max(sizes[:5]) <= compress.DENSE < 1.05 * min(sizes[:4])
    assert sizes[-3] == MEMBER
    assert blob.digest == DENSE
