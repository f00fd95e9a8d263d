# SPDX-License-Identifier: Apache-2.0
"""Compare making a layer of a folder with what others take for it: python bench/image.py [MEGABYTES [ROUNDS]].

The folders are one of real binaries and libraries, 10,000 files and 1 GB where nothing else is said, and one of ten
times as many small files. Each tool runs once a round, from the folder to a compressed layer in a file: ours, which
is the command `image` to an OCI layout, with an empty cache, then again with nothing changed, and once more without
the cache's records, so that all files are read; crane takes a tar, so its time is with tar's. The figures are medians
of runs taken in turn; memory is the largest resident set of any of a tool's processes. Tools that are not there are
left out. CRANE names crane's program, where it is not on PATH.

Then it compares `check-image` of the image with `gzip -t` of its blobs.
"""

import contextlib
import itertools
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

from table import show

ROOT = Path(__file__).absolute().parents[1]
GOALS = {
    "binaries": {"crane append": 3.0, "umoci insert": 1.0},
    "small files": {"tar | gzip -6": 1.25, "crane append": 1.0},
}
CHECK_GOAL = 1.1  # times gzip -t
WHERE = ("/usr/bin", "/usr/lib", "/usr/libexec", "/usr/sbin", "/usr/local")


class Run(NamedTuple):
    """What one run took: seconds, seconds of all processors, bytes of the layer, bytes of memory."""

    seconds: float
    processor: float
    size: int
    memory: int


def real_files() -> list[tuple[Path, int]]:
    """Return this machine's programs, libraries and what lies beside them, with their sizes, in no order."""
    found: list[tuple[Path, int]] = []
    for top in WHERE:
        for folder, _, names in os.walk(top):
            for name in names:
                path = Path(folder, name)
                if path.is_file() and not path.is_symlink():
                    found.append((path, path.stat().st_size))
    found.sort()
    random.Random(1).shuffle(found)  # noqa: S311 - to be the same each time
    return found


def fill(folder: Path, number: int, size: int) -> tuple[int, int]:
    """Copy *number* files into *folder*, of *size* bytes in all if that can be; return what came of it."""
    files = real_files()
    made = total = 0
    for path, length in itertools.chain(filter(is_binary, files), itertools.filterfalse(is_binary, files)):
        if made == number:
            break
        # Never far from the average that is wanted, so that number and size are both reached.
        if not -0.05 <= (total + length) / size - (made + 1) / number <= min(0.05, 1 - (made + 1) / number):
            continue
        target = folder / f"{made // 100:03}" / f"{made:05}-{path.name.replace(':', '-')}"
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, target)
        made, total = made + 1, total + length
    return made, total


def is_binary(found: tuple[Path, int]) -> bool:
    try:
        with found[0].open("rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False


def fill_small(folder: Path, number: int) -> tuple[int, int]:
    """Write *number* small files of text and numbers into *folder*."""
    chosen = random.Random(2)  # noqa: S311
    words = [f"{chosen.random()}\n" for _ in range(1000)]
    total = 0
    for made in range(number):
        target = folder / f"{made // 1000:03}" / f"{made:06}.txt"
        target.parent.mkdir(exist_ok=True)
        text = "".join(chosen.choices(words, k=chosen.randrange(120)))
        target.write_text(text)
        total += len(text)
    return number, total


def run(script: str, work: Path, *arguments: str | Path, **environment: str | Path) -> Run:
    """Run a script of the shell, which writes a layer below *work*."""
    work.mkdir()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    with tempfile.TemporaryFile() as said:
        start = time.perf_counter()
        process = subprocess.Popen(
            ["sh", "-euc", script, "sh", *arguments],
            env={**clean, **{name: str(value) for name, value in environment.items()}},
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
        )
        peak = Peak(process.pid)
        peak.start()
        ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        taken = time.perf_counter() - start
        _, _, used = os.wait4(process.pid, 0)
        peak.ended.set()
        if ended is None or ended.si_status:
            said.seek(0)
            raise SystemExit(f"{script}: {said.read().decode(errors='replace')}")
    size = max(path.stat().st_size for path in work.rglob("*") if path.is_file())
    return Run(taken, used.ru_utime + used.ru_stime, size, peak.memory)


class Peak(threading.Thread):
    """Looks seldom, since it takes time of the cores that are measured, for the most memory that a session takes."""

    def __init__(self, session: int) -> None:
        super().__init__(daemon=True)
        self._session = session
        self.ended = threading.Event()
        self.memory = 0

    def run(self) -> None:
        while not self.ended.wait(0.1):
            self.memory = max(self.memory, resident(self._session))


def resident(session: int) -> int:
    """Return the most bytes that any process of a session has had in memory at a time."""
    most = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            if os.getsid(int(process.name)) == session:
                status = (process / "status").read_text()
                most = max(
                    most, *(int(line.split()[1]) << 10 for line in status.split("\n") if line[:6] == "VmHWM:"), 0
                )
    return most


TAR = 'tar -C "$1" --sort=name --owner=0 --group=0 --mtime=@0 -cf'
OTHERS = {
    "tar | gzip -6": ("gzip", f'{TAR} - . | gzip -6 > "$2/layer"'),
    "tar | pigz -6": ("pigz", f'{TAR} - . | pigz -6 > "$2/layer"'),
    "crane append": (
        "crane",
        f'{TAR} "$2/tar" . && "$CRANE" append --oci-empty-base -t x -f "$2/tar" -o "$2/layer" && rm "$2/tar"',
    ),
    "umoci insert": (
        "umoci",
        'umoci init --layout "$2/l" && umoci new --image "$2/l:x" && umoci insert --rootless --image "$2/l:x" "$1" /',
    ),
    "buildah": (
        "buildah",
        "c=$(buildah --storage-driver vfs from scratch) && "
        'buildah --storage-driver vfs copy "$c" "$1" / && buildah --storage-driver vfs commit "$c" "oci:$2/l:x" && '
        'buildah --storage-driver vfs rm "$c"',
    ),
}


def ours(folder: Path, work: Path, compression: str, cache: Path) -> Run:
    """Return what the whole command took, from its start to an OCI layout."""
    command = f'exec "{sys.executable}" -m generator image "$1" --to "oci:$2/l:x" --compression "$3"'
    return run(command, work, folder, work, compression, XDG_CACHE_HOME=cache, PYTHONPATH=ROOT)


def theirs(name: str, folder: Path, work: Path) -> Run | None:
    """Return what another tool took, or None where it is not there."""
    program, script = OTHERS[name]
    found = os.environ.get("CRANE") if program == "crane" else None
    found = found or shutil.which(program)
    return run(script, work, folder, work, CRANE=found) if found else None


def measure(folder: Path, scratch: Path, wait: int) -> dict[str, Run]:
    """Return what one round of all took.

    It begins after *wait* seconds: a second run does not know many files that changed in the last minute, and umoci
    changes the ctime of all.
    """
    time.sleep(wait)
    cache, work = scratch / "cache", scratch / "work"
    taken: dict[str, Run] = {}

    def keep(name: str, made: Run | None) -> None:
        if made is not None:
            taken[name] = made
        shutil.rmtree(work, ignore_errors=True)

    keep("winscratch", ours(folder, work, "default", cache))
    keep("winscratch, again", ours(folder, work, "default", cache))
    for record in cache.rglob("record-*"):
        record.unlink()
    keep("winscratch, read again", ours(folder, work, "default", cache))
    shutil.rmtree(cache)
    keep("winscratch, fast", ours(folder, work, "fast", cache))
    shutil.rmtree(cache)
    for name in OTHERS:
        keep(name, theirs(name, folder, work))
    return taken


def check(folder: Path, scratch: Path) -> dict[str, Run]:
    """Return what one round of checks of an image of *folder* took."""
    work, layout = scratch / "work", scratch / "work/l"
    ours(folder, work, "default", scratch / "cache")
    commands = {
        "gzip -t of the blobs": 'for each in "$1"/blobs/*/*; do if gzip -l "$each"; then gzip -t "$each"; fi; done',
        "winscratch check-image": f'exec "{sys.executable}" -m generator check-image "oci:$1" >"$2/found"',
    }
    taken = {}
    for name, script in commands.items():
        taken[name] = run(f'echo >"$2/found"; {script}', scratch / "check", layout, scratch / "check", PYTHONPATH=ROOT)
        shutil.rmtree(scratch / "check")
    shutil.rmtree(work)
    shutil.rmtree(scratch / "cache")
    return taken


def tell_checks(title: str, rounds: list[dict[str, Run]]) -> None:
    """Print the medians of the checks of all rounds, beside those of gzip."""
    gzip = next(iter(rounds[0]))
    medians = {
        name: [statistics.median(getattr(each[name], key) for each in rounds) for key in ("seconds", "processor")]
        for name in rounds[0]
    }
    rows = []
    for name, (seconds, processor) in medians.items():
        ratios = [f"{one / other:.2f}" for one, other in zip((seconds, processor), medians[gzip], strict=True)]
        memory = max(each[name].memory for each in rounds)
        rows.append([name, f"{seconds:.2f} s", ratios[0], f"{processor:.2f} s", ratios[1], f"{memory / 1e6:.0f} MB"])
    columns = ["time", f"of gzip -t (goal {CHECK_GOAL:g})", "processors", "of gzip -t", "memory"]
    show(f"the image of {title}, checked", columns, rows)


def tell(title: str, goals: dict[str, float], rounds: list[dict[str, Run]]) -> None:
    """Print the medians of all rounds, beside ours and the *goals* of the ratio."""
    found = {
        name: Run(
            statistics.median(taken[name].seconds for taken in rounds),
            statistics.median(taken[name].processor for taken in rounds),
            rounds[0][name].size,
            max(taken[name].memory for taken in rounds),
        )
        for name in rounds[0]
    }
    mine = found["winscratch"]
    rows = []
    for name, one in found.items():
        goal = goals.get(name)
        ratio = one.seconds / mine.seconds
        told = f"{ratio:.2f}" + (f" (goal {goal:g})" if goal else "")
        size, memory = f"{one.size / 1e6:.1f} MB", f"{one.memory / 1e6:.0f} MB"
        rows.append([name, f"{one.seconds:.2f} s", told, f"{one.processor:.2f} s", size, memory])
    show(title, ["time", "of ours", "processors", "layer", "memory"], rows)


def main(megabytes: int = 1000, rounds: int = 1) -> None:
    """Take all measures and print them."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for make, goals in GOALS.items():
            folder = scratch / "folder"
            folder.mkdir()
            if make == "binaries":
                number, size = fill(folder, megabytes * 10, megabytes * 10**6)
            else:
                number, size = fill_small(folder, megabytes * 100)
            run(
                'tar -C "$1" -cf - . | cat >"$2/tar"', scratch / "work", folder, scratch / "work"
            )  # the first is slower
            shutil.rmtree(scratch / "work")
            taken = [measure(folder, scratch, 61 if megabytes > 100 else 1) for _ in range(rounds)]
            title = f"{number:,} {make}, {size / 1e6:.0f} MB, {os.cpu_count()} cores"
            tell(title, goals, taken)
            tell_checks(title, [check(folder, scratch) for _ in range(rounds)])
            shutil.rmtree(folder)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
