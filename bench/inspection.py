# SPDX-License-Identifier: Apache-2.0
"""Tell what reading and showing a hive costs, beside hivexml and Python readers: python bench/inspection.py [ROUNDS].

Needs the test packages, hivexml (libhivex-bin) and 200 MB in the temporary folder. Times are processor time, for Python
without its start and the loading of modules; memory is what a process grows by beyond the file, which is mapped. Of the
time to the first lines, and to those of one key, it is that of the whole program.
"""

import math
import random
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from table import show

PROJECT = Path(__file__).absolute().parents[1]
sys.path[:0] = [str(PROJECT), str(PROJECT / "tests/hives")]

from helpers.hive_maker import Node, make, text  # noqa: E402 (found only once the path is set)

from generator.hives.model import REG_BINARY, REG_DWORD, REG_SZ, Value  # noqa: E402

LIMIT = 90  # seconds by the clock that a reader is given
CHILD = """
import sys, time
def memory():
    return 1024 * next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM:"))
path = sys.argv[1]
{modules}
start, before = time.process_time(), memory()
{run}
print(time.process_time() - start, memory() - before)
"""
OURS = "from generator.hives.check import load; from generator.hives.reader import check_hive, read, read_hive"
# Measurements: name, imports, statement, and the limit as a multiple of hivexml's time.
READERS = (
    ("check-hive", OURS, "found = check_hive(load(path))", 1.5),
    ("read_hive: keys and values", OURS, "found = read_hive(load(path))", 2.2),
    ("read: keys, values and spans", OURS, "found = read(load(path), keys=True, spans=True)", 4.0),
)
_STACK = """
stack = [{root}]
while stack:
    key = stack.pop()
    for value in {values}:
        value.name{call}, value.{data}
    stack.extend({subkeys})
"""
OTHERS = (
    (
        "python-registry",
        "from Registry import Registry",
        _STACK.format(
            root="Registry.Registry(path).root()",
            values="key.values()",
            call="()",
            data="raw_data()",
            subkeys="key.subkeys()",
        ),
        None,
    ),
    (
        "dissect.regf",
        "from dissect.regf import RegistryHive",
        _STACK.format(
            root="RegistryHive(open(path, 'rb')).root()",
            values="key.values()",
            call="",
            data="value",
            subkeys="key.subkeys()",
        ),
        None,
    ),
    (
        "regipy",
        "from regipy.registry import Cell, NKRecord, RegistryHive",
        # By itself it takes the first cell for the root key, which is a security record here.
        """
hive = RegistryHive(path)
root = NKRecord(Cell(offset=0x1006 + hive.header.root_key_offset, cell_type="nk", size=0), hive._stream)
"""
        + _STACK.format(
            root="root",
            values="key.iter_values()",
            call="",
            data="value",
            subkeys="key.iter_subkeys()",
        ),
        None,
    ),
)


def large_hive(keys: int, values: int, data: int) -> bytes:
    """Return a hive of so many keys and values, a third of them with up to *data* bytes, in groups of 200 keys."""
    chance = random.Random(1)  # noqa: S311

    def value(number: int) -> Value:
        size = chance.randrange(data)
        kinds = (
            Value(f"Bytes{number}", REG_BINARY, chance.randbytes(size)),
            Value(f"Number{number}", REG_DWORD, bytes(4)),
            Value(f"Text{number}", REG_SZ, text("x" * (size // 4))),
        )
        return kinds[number % 3]

    def key(number: int) -> Node:
        return Node(f"Key{number:03}", values=[value(i) for i in range(values // keys)])

    groups = [Node(f"Group{i:04}", subkeys=[key(j) for j in range(199)]) for i in range(keys // 200)]
    return bytes(make(Node("root", subkeys=groups)).data)


def by_hivexml(path: Path) -> float:
    """Return the processor time in seconds that hivexml takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["hivexml", str(path)], stdout=subprocess.PIPE, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def by_python(path: Path, modules: str, run: str) -> tuple[float, float]:
    """Return the processor time in seconds that *run* takes, and the memory in bytes that the process grew by.

    The time is endless where the run was ended after LIMIT.
    """
    command = [sys.executable, "-c", CHILD.format(modules=modules, run=run), str(path)]
    try:
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return math.inf, 0
    seconds, memory = map(float, done.stdout.split())
    return seconds, memory


def measure(title: str, path: Path, readers: Sequence[tuple[str, str, str, float | None]], rounds: int) -> None:
    """Measure all on the hive at *path* in turn, and print the median of each."""
    size = path.stat().st_size
    taken: dict[str, list[tuple[float, float]]] = {}
    for _ in range(rounds):
        taken.setdefault("hivexml", []).append((by_hivexml(path), 0))
        for name, modules, run, _ in readers:
            if (math.inf, 0) not in taken.setdefault(name, []):
                taken[name].append(by_python(path, modules, run))
    base = statistics.median(seconds for seconds, _ in taken["hivexml"])
    rows = [["hivexml", f"{base:.2f} s", "1.00", "", "", ""]]
    for name, _, _, most in readers:
        if math.inf in {seconds for seconds, _ in taken[name]}:
            rows.append([name, f"over {LIMIT} s", "", "", "", ""])
            continue
        seconds = statistics.median(seconds for seconds, _ in taken[name])
        memory = max(0, statistics.median(memory for _, memory in taken[name]) - size) / size
        ours = most is not None
        goal = f"at most {most}" if ours else ""
        rows.append(
            [name, f"{seconds:.2f} s", f"{seconds / base:.2f}", goal, f"{memory:.2f}", "at most 2" if ours else ""]
        )
    show(f"{title}, {size:,} bytes", ("time", "ratio", "goal", "memory / size", "goal"), rows)


def first_lines(path: Path, *options: str) -> float:
    """Return the processor time in seconds until `inspect` has shown ten lines, its start included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "generator", "inspect", str(path), *options]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(10):
            process.stdout.readline()
        process.stdout.close()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def measure_lines(path: Path, rounds: int) -> None:
    """Measure how soon a hive is on the screen, and print it."""
    rows = [
        [name, f"{statistics.median(first_lines(path, *options) for _ in range(rounds)):.2f} s"]
        for name, options in (
            ("inspect: its first lines", ()),
            ("inspect --path: a key", ("--path", "Group0050\\Key100")),
        )
    ]
    show("the same hive on a screen", ("time",), rows)


def main(rounds: int = 5) -> None:
    """Make the hives, measure and print the tables."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hive"
        path.write_bytes(large_hive(20_000, 120_000, 1_600))
        measure("20,000 keys, 120,000 values", path, [*READERS, *OTHERS], rounds)
        measure_lines(path, rounds)
        path.write_bytes(large_hive(200_000, 600_000, 90))
        many = [(name, modules, run, None) for name, modules, run, _ in READERS]
        measure("200,000 keys, 600,000 values", path, [*many, *OTHERS], max(1, rounds // 3))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
