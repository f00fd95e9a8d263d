# SPDX-License-Identifier: Apache-2.0
"""Compare hives with what Microsoft's own code makes of them: offreg.dll and, on Windows, the kernel.

Windows has the offline registry library as C:\\Windows\\System32\\offreg.dll. offreg.c drives it, under wine where this
is not Windows. Each check returns its failures, a line each. As a program: ``python tests/helpers/offreg.py --help``.
"""

import argparse
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from generator.hives.model import Hive, Key, Value  # noqa: E402
from generator.hives.reader import Visit  # noqa: E402
from generator.hives.rules import Level  # noqa: E402
from generator.security import descriptor, sddl  # noqa: E402
from helpers.created_hives import created_plan  # noqa: E402 (found only once the path is set)
from helpers.hive_maker import seal  # noqa: E402
from helpers.random_hives import committed_hives  # noqa: E402

DESCRIPTOR = descriptor.to_bytes(sddl.from_text("O:BAG:SYD:P(A;CI;KA;;;SY)(A;CI;KA;;;BA)(A;CI;KR;;;BU)"))
CHUNK = 1000  # hives that one process is asked for
BITS = 5000
PLANS = 300

VERSIONS = ((5, 1), (6, 0), (6, 1), (6, 2))  # of Windows, which offreg 6.2 can save for


@dataclass(frozen=True, slots=True)
class Found:
    """The keys that a reader found in a hive, each with its descriptor, and its *failures*, a line each."""

    keys: tuple[tuple[Key, bytes], ...]
    failures: tuple[str, ...] = ()

    @property
    def hive(self) -> Hive:
        """The keys alone."""
        return tuple(key for key, _ in self.keys)


class Driver:
    """The program that asks Microsoft's code, compiled in *folder*, with *library* as its offreg.dll."""

    def __init__(self, library: Path, folder: Path) -> None:
        self._library, self.folder = library, folder
        self._program = folder / "offreg.exe"
        compiler = shutil.which("gcc") or ""
        if os.name != "nt":
            from .support import need

            compiler = need("x86_64-w64-mingw32-gcc")
        source = Path(__file__).with_name("offreg.c")
        flags = "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror"
        subprocess.run([compiler, *flags, "-o", self._program, source], check=True, timeout=300)

    def ask(self, commands: Sequence[str]) -> list[list[str]]:
        """Return the lines of the answer to each of *commands*, which are described in offreg.c."""
        data = "".join(f"{command}\n" for command in commands).encode()
        if os.name == "nt":
            command = [self._program, self._library]
            done = subprocess.run(command, input=data, capture_output=True, check=False, timeout=300)
        else:
            from .wine import on_windows

            done = on_windows(self._program, self.name(self._library), folder=self.folder, data=data)
        answers: list[list[str]] = [[]]
        for line in done.stdout.decode("ascii").splitlines():
            if line == ".":
                answers.append([])
            else:
                answers[-1].append(line)
        assert done.returncode == 0, done.stderr
        assert len(answers) == len(commands) + 1
        return answers[:-1]

    def name(self, path: Path) -> str:
        """Return a file's name as the program takes it: under wine on drive Z."""
        path = path.resolve()
        return str(path) if os.name == "nt" else f"Z:{path}".replace("/", "\\")

    def read(self, hives: Sequence[bytes], command: str = "read") -> list[Found]:
        """Return *hives* as offreg reads them or, by the command "load", as the kernel does."""
        found: list[Found] = []
        for start in range(0, len(hives), CHUNK):
            with tempfile.TemporaryDirectory(dir=self.folder, ignore_cleanup_errors=True) as place:
                paths = [Path(place, str(start + i)) for i in range(len(hives[start : start + CHUNK]))]
                for path, data in zip(paths, hives[start:], strict=False):
                    path.write_bytes(data)
                found += map(parsed, self.ask([f"{command} {self.name(path)}" for path in paths]))
        return found

    def create(self, plans: Sequence[tuple[Hive, tuple[int, int]]]) -> list[bytes]:
        """Return the hives that offreg creates from *plans*, each for a version of Windows."""
        with tempfile.TemporaryDirectory(dir=self.folder, ignore_cleanup_errors=True) as place:
            paths = [Path(place, str(number)) for number in range(len(plans))]
            commands: list[str] = []
            for path, (hive, (major, minor)) in zip(paths, plans, strict=True):
                commands += [*_steps(hive), f"save {major} {minor} {self.name(path)}"]
            failures = [
                f"{command}: {answer}" for command, answer in zip(commands, self.ask(commands), strict=True) if answer
            ]
            assert not failures, failures[:3]
            return [path.read_bytes() for path in paths]


def parsed(lines: Iterable[str]) -> Found:
    """Return a hive from the lines that offreg.c prints."""
    keys: list[tuple[Key, bytes]] = []
    failures: list[str] = []
    here: list[str] = []
    for line in lines:
        kind, *words = line.split()
        if kind == "k":
            here[max(int(words[0]) - 1, 0) :] = [_text(words[1])] if words[0] != "0" else []
            keys.append((Key(tuple(here)), _bytes(words[2])))
        elif kind == "v":
            key, security = keys[-1]
            value = Value(_text(words[1]), int(words[0]), _bytes(words[2]))
            keys[-1] = Key(key.path, (*key.values, value)), security
        else:
            failures.append(f"{line[2:]} in {_path(Key(tuple(here)))[-80:]!a}")
    return Found(tuple(keys), tuple(failures))


def _text(digits: str) -> str:
    return _bytes(digits).decode("utf-16-le", "surrogatepass")


def _bytes(digits: str) -> bytes:
    return bytes.fromhex(digits.removesuffix("-"))


def _hex(data: bytes) -> str:
    return data.hex() or "-"


def _path(key: Key) -> str:
    return "\\".join(key.path)


def _steps(hive: Hive) -> Iterator[str]:
    yield "new"
    for key in hive:
        if key.path:
            yield f"key {_path(key).encode('utf-16-le').hex()}"
        for value in key.values:
            yield f"value {value.type} {_hex(value.name.encode('utf-16-le'))} {_hex(value.data)}"


def differences(wanted: Found, found: Found) -> list[str]:
    """Return how *found* differs from *wanted*, in at most three lines."""
    lines = list(found.failures)
    theirs = {key.path: (key, security) for key, security in found.keys}
    for key, security in wanted.keys:
        shown = ascii(_path(key)[-80:])
        if key.path not in theirs:
            lines.append(f"{shown}: key not found")
            continue
        other, their_security = theirs.pop(key.path)
        if set(other.values) != set(key.values) or len(other.values) != len(key.values):
            lines.append(f"{shown}: {len(key.values)} values expected, {len(other.values)} found, which differ")
        if their_security != security:
            lines.append(f"{shown}: descriptor {their_security.hex()}")
    lines += [f"{path!a}: key not expected" for path in theirs]
    return lines[:3]


def ours(data: bytes) -> tuple[Found, Level | None, set[str]]:
    """Return a hive as our reader reads it, its level and the rules that it breaks."""
    visit = Visit(data)
    keys = tuple((Key(node.path, node.values), node.descriptor) for node in visit.nodes())
    reading = visit.reading()
    return Found(keys), reading.level, {finding.rule for finding in reading.findings}


# The checks.


def check_committed(driver: Driver, command: str = "read") -> list[str]:
    """Read each committed hive; its keys, values, data and descriptors are those that the specification gives.

    By the command "load" the kernel reads it.
    """
    hives = committed_hives()
    failures = []
    answers = driver.read([data for data, _ in hives.values()], command)
    for (name, (_, plan)), found in zip(hives.items(), answers, strict=True):
        wanted = Found(tuple((key, _meaning(DESCRIPTOR)) for key in plan))
        theirs = Found(tuple((key, _meaning(security)) for key, security in found.keys), found.failures)
        failures += [f"{name}: {line}" for line in differences(wanted, theirs)]
    return failures


def _meaning(security: bytes) -> bytes:
    """Return a descriptor in SDDL, which is independent of the order of its parts: the kernel has its own."""
    return sddl.to_text(descriptor.from_bytes(security)).encode() if security else b""


def all_bits() -> list[tuple[str, int]]:
    """Return each bit of each distinct committed hive, as the hive's name and the bit's number."""
    names = {data: name for name, (data, _) in reversed(committed_hives().items())}
    return [(name, bit) for data, name in names.items() for bit in range(8 * len(data))]


def some_bits(count: int) -> list[tuple[str, int]]:
    """Return *count* of all_bits(), the same each time."""
    return random.Random(1).sample(all_bits(), count)  # noqa: S311


@dataclass(slots=True)
class Tally:
    """Counts of hives, of those that our check finds good or unusual, and how Microsoft's code reads them otherwise."""

    hives: int = 0
    good: int = 0
    unusual: int = 0
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Return one line for people."""
        return (
            f"{self.hives:,} hives, {self.good:,} good, {self.unusual:,} unusual, {len(self.failures):,} read otherwise"
        )


def check_alike(driver: Driver, hives: Iterable[tuple[str, bytes]], tally: Tally) -> None:
    """Ask offreg for those of *hives*, each with a label, that are good or unusual: it reads what our reader reads.

    A key whose name has a NUL is listed by offreg and cannot be opened by its functions, so such hives are left out.
    """
    asked: list[tuple[str, bytes, Found]] = []
    for label, data in hives:
        found, level, rules = ours(data)
        tally.hives += 1
        tally.good += level is None
        tally.unusual += level == Level.UNUSUAL
        if level in {None, Level.UNUSUAL} and "key-name-nul" not in rules:
            asked.append((f"{label} ({', '.join(sorted(rules)) or 'good'})", data, found))
    for (label, _, wanted), theirs in zip(asked, driver.read([data for _, data, _ in asked]), strict=True):
        tally.failures += [f"{label}: {line}" for line in differences(wanted, theirs)]


def check_flipped(driver: Driver, bits: Sequence[tuple[str, int]]) -> Tally:
    """Flip *bits* of committed hives, one a hive, and compare what offreg and our reader read."""
    tally = Tally()
    for start in range(0, len(bits), CHUNK):
        check_alike(driver, (_flipped(*bit) for bit in bits[start : start + CHUNK]), tally)
    return tally


def _flipped(name: str, bit: int) -> tuple[str, bytes]:
    data = bytearray(committed_hives()[name][0])
    data[bit // 8] ^= 1 << bit % 8
    return f"{name}, bit {bit % 8} of byte 0x{bit // 8:x}", seal(data)


def check_created(driver: Driver, seeds: range) -> Tally:
    """Have offreg create and save hives from random plans: each is good, and both read what the plan says."""
    plans = [(created_plan(seed), VERSIONS[seed % len(VERSIONS)]) for seed in seeds]
    hives = driver.create(plans)
    tally = Tally()
    check_alike(driver, ((f"created from seed {seed}", data) for seed, data in zip(seeds, hives, strict=True)), tally)
    for seed, data, (plan, _) in zip(seeds, hives, plans, strict=True):
        found, level, rules = ours(data)
        lines = [f"our check finds {sorted(rules)}"] if level else []
        lines += differences(Found(tuple((key, b"") for key in plan)), Found(tuple((key, b"") for key in found.hive)))
        tally.failures += [f"created from seed {seed}: {line}" for line in lines]
    return tally


def version(library: Path) -> str:
    """Return the version of a DLL, from its VS_FIXEDFILEINFO, or an empty string if the file has none."""
    data = library.read_bytes() if library.is_file() else b""
    at = data.find(struct.pack("<II", 0xFEEF04BD, 0x10000))
    if at < 0:
        return ""
    high, low = struct.unpack_from("<II", data, at + 8)
    return f"{high >> 16}.{high & 0xFFFF}.{low >> 16}.{low & 0xFFFF}"


def main() -> int:
    """Run the checks that the command line asks for; return 1 if one has failures."""
    parser = argparse.ArgumentParser(description="Compare hives with what Microsoft's own code makes of them.")
    parser.add_argument("--dll", type=Path, required=True, help="offreg.dll")
    parser.add_argument("--bits", type=int, default=BITS, help="bits of committed hives to flip (default %(default)s)")
    parser.add_argument("--all-bits", action="store_true", help="flip all of them")
    parser.add_argument("--plans", type=int, default=PLANS, help="hives that offreg creates (default %(default)s)")
    parser.add_argument("--kernel", action="store_true", help="have RegLoadAppKey load the committed hives, too")
    arguments = parser.parse_args()
    if not (found := version(arguments.dll)):
        parser.error(f"--dll: {arguments.dll}: not a DLL of Windows; hint: --dll C:\\Windows\\System32\\offreg.dll")
    print(f"{arguments.dll}: version {found}", flush=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        driver = Driver(arguments.dll, Path(folder))
        bits = all_bits() if arguments.all_bits else some_bits(arguments.bits)
        failures = _report("committed", check_committed(driver))
        if arguments.kernel:
            failures += _report("kernel", check_committed(driver, "load"))
        failures += _report("created", check_created(driver, range(arguments.plans)))
        failures += _report("flipped", check_flipped(driver, bits))
    return int(failures > 0)


def _report(name: str, result: Tally | list[str]) -> int:
    """Print a check's result, at most 50 failures of it, and return how many it has."""
    lines = result if isinstance(result, list) else result.failures
    summary = f"{len(lines)} failures" if isinstance(result, list) else str(result)
    print(f"{name}: {summary}", *lines[:50], sep="\n  ", flush=True)
    return len(lines)


if __name__ == "__main__":
    sys.exit(main())
