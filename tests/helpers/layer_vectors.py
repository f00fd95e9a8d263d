# SPDX-License-Identifier: Apache-2.0
"""Run the test vectors of tests/vectors on the writers of layers on top in each language.

docs/layer-format.md describes the files. Run as a program, with the project's root in PYTHONPATH, this fills in what
the Python module makes of each case; the tests then say whether the other languages and Go's archive/tar agree.
"""

import hashlib
import json
import random
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from generator.builder.wire import ROOT

VECTORS = ROOT / "tests/vectors"
MODULES = ROOT / "output/python"
SHOWN = 3072  # bytes: longer results are only hashed
SEED = 2026
AT_RANDOM = 10_000  # layers that every language makes as Python does

Case = dict[str, Any]


@dataclass(frozen=True)
class Refused:
    """An error's code, and which entry of the case it is about."""

    code: str
    entry: int = 0


class Called(NamedTuple):
    """The result of each call: "-", the code of its error, or "other" for a language's own; and the bytes written."""

    results: tuple[str, ...]
    data: bytes


Made = bytes | Refused


def headers() -> list[Case]:
    """Return the cases of one entry each, of which the header is compared."""
    return _read("headers")


def layers() -> list[Case]:
    """Return the cases of whole layers."""
    return _read("layers")


def entries(case: Case) -> list[Case]:
    """Return a case's entries; one with a `count` stands for so many, and `{n}` in its texts for each one's number."""
    if "entry" in case:
        return [case["entry"]]
    every: list[Case] = []
    for entry in case["entries"]:
        for number in range(entry.get("count", 1)):
            texts = {key: entry[key] for key in ("path", "target") if isinstance(entry.get(key), str)}
            every.append(entry | {key: value.replace("{n}", str(number)) for key, value in texts.items()})
    return every


def _read(name: str) -> list[Case]:
    cases: list[Case] = json.loads((VECTORS / f"{name}.json").read_text("utf-8"))
    return cases


def expected(case: Case) -> tuple[object, ...]:
    """Return what a case says about its result, as summary() does about a result itself."""
    if "error" in case:
        return ("error", case["error"]["code"], case["error"]["entry"])
    return (case["length"], case["sha256"])


def summary(made: Made) -> tuple[object, ...]:
    """Return a result in the words of a case."""
    if isinstance(made, Refused):
        return ("error", made.code, made.entry)
    return (len(made), hashlib.sha256(made).hexdigest())


def differences(cases: Sequence[Case], found: Sequence[Made]) -> list[str]:
    """Return the names of the cases that did not come out as they say."""
    return [case["name"] for case, made in zip(cases, found, strict=True) if expected(case) != summary(made)]


# ---------------------------------------------------------------------------------------------
# Cases as values, and as the lines that the programs in other languages read


def text(value: Any) -> bytes:
    """Return a text of a case in bytes: as it is, as pieces each with how often, or in hexadecimal digits."""
    if isinstance(value, dict):
        return bytes.fromhex(value["hex"])
    pieces: list[tuple[str, int]] = [(value, 1)] if isinstance(value, str) else value
    return "".join(piece * count for piece, count in pieces).encode("utf-8")


def times(value: Any) -> tuple[int, int, int, int]:
    """Return modified, accessed, changed and created, in nanoseconds."""
    if isinstance(value, str):
        return (int(value),) * 4
    modified, accessed, changed, created = map(int, value)
    return modified, accessed, changed, created


def lines(case: Case) -> list[str]:
    """Return a case as lines: `header` or `layer`, its entries, `end`; words are separated by spaces.

    An entry is kind, path, target, size, attributes, descriptor and the four times. Texts are in hexadecimal digits
    behind a colon; `=` stands for the layer's descriptor or times, and for the language's default times where no layer
    has any. `calls` is as `layer`, but it closes the layer only where a line is `close`, and goes on after an error.
    """
    if "entry" in case:
        return ["header", _line(case["entry"], "users-read", "="), "end"]
    word = "calls" if "calls" in case else "layer"
    layer = f"{word} {_descriptor(case.get('descriptor', 'users-read'))} {_words(case.get('time', '='))}"
    given = case["calls"] if "calls" in case else entries(case)
    return [layer, *(_line(entry, "=", "=") for entry in given), "end"]


def _line(entry: Case, descriptor: str, time: str) -> str:
    if entry["kind"] == "close":
        return "close"
    path, target = (":" + text(entry.get(key, "")).hex() for key in ("path", "target"))
    chosen = _descriptor(entry.get("descriptor", descriptor))
    numbers = f"{entry.get('size', '0')} {entry.get('attributes', '0')}"
    return f"{entry['kind']} {path} {target} {numbers} {chosen} {_words(entry.get('time', time))}"


def _descriptor(value: Any) -> str:
    return ":" + value["hex"] if isinstance(value, dict) else str(value)


def _words(value: Any) -> str:
    return "= = = =" if value == "=" else " ".join(map(str, times(value)))


# ---------------------------------------------------------------------------------------------
# Running them


def by_python(cases: Iterable[Case], interpreter: str | Path = sys.executable) -> list[Made]:
    """Return what the Python module makes of *cases* in an interpreter that has nothing but the standard library."""
    program = ROOT / "tests/languages/python/files.py"
    return by_program([interpreter, "-I", "-S", "-B", "-W", "error", program, MODULES], cases)


def by_program(command: Sequence[str | Path], cases: Iterable[Case]) -> list[Made]:
    """Return what a program makes of *cases*, all of them in one run.

    It answers each with a line, `ok` and a number of bytes, which follow, or `error`, the code and the entry's number.
    """
    answers: list[Made] = []
    for word, rest, data in _answers(command, cases):
        assert word in {"ok", "error"}, word
        answers.append(data if word == "ok" else Refused(rest[0], int(rest[1])))
    return answers


def called(command: Sequence[str | Path], cases: Iterable[Case]) -> list[Called]:
    """Return the results of calls: a program answers each case with `calls`, the results and a number of bytes."""
    answers = []
    for word, rest, data in _answers(command, cases):
        assert word == "calls", word
        answers.append(Called(tuple(rest[:-1]), data))
    return answers


def _answers(command: Sequence[str | Path], cases: Iterable[Case]) -> Iterator[tuple[str, list[str], bytes]]:
    """Yield the words of each answer, and the bytes that follow it."""
    asked = "".join(line + "\n" for case in cases for line in lines(case)).encode()
    done = subprocess.run([*command], input=asked, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    at = 0
    while at < len(done.stdout):
        end = done.stdout.index(b"\n", at)
        word, *rest = done.stdout[at:end].decode().split(" ")
        at = end + 1 + (0 if word == "error" else int(rest[-1]))
        yield word, rest, done.stdout[end + 1 : at]


# ---------------------------------------------------------------------------------------------
# Cases by the number of a seed

_PARTS = (
    "a",
    "B",
    "bin",
    "readme.txt",
    "README.TXT",
    "日本",
    "größe",
    "GRÖSSE",
    "🦀",
    "n" * 60,
    "ü" * 40,
    "x y",
    "f.exe",
)
_ODD = ("", ".", "..", "nul", "Com1.txt", "a.", "b ", ".wh.a", "a:b", "c\\d", "\x07", "z" * 256, "🦀" * 128)


def at_random(seed: int, number: int) -> list[Case]:
    """Return *number* layers of up to six entries, about half of which hold something that is refused."""
    chance = random.Random(seed)  # noqa: S311 - the same cases for everybody
    return [_layer(chance) for _ in range(number)]


def _layer(chance: random.Random) -> Case:
    case: Case = {"entries": []}
    for _ in range(chance.randint(0, 6)):
        case["entries"].append(_entry(chance, [entry["path"] for entry in case["entries"]]))
    if chance.random() < 0.5:
        case["time"] = _time(chance)
    if chance.random() < 0.3:
        case["descriptor"] = chance.choice(("user-owned", "admin-owned", "none"))
    return case


def _entry(chance: random.Random, before: list[str]) -> Case:
    kind = chance.choice(("file", "file", "file", "directory", "file-link", "directory-link", "hard-link", "whiteout"))
    entry: Case = {"kind": kind, "path": _path(chance)}
    if kind == "file":
        entry["size"] = str(chance.choice((0, 1, 100, 511, 512, 513, 2000)))
    if kind == "hard-link":
        entry["target"] = chance.choice([*before, *before, *before, _path(chance)])
    if kind.endswith("-link") and kind != "hard-link":
        entry["target"] = chance.choice((*(["../x", "C:\\y", "\\\\?\\C:\\z", "t" * 101, "ü"] * 4), "", "a*b"))
    if kind not in {"hard-link", "whiteout"}:
        if chance.random() < 0.3:
            entry["attributes"] = str(chance.choice((0, 1, 2, 4, 7, 32, 39, 128, 16)))
        if chance.random() < 0.3:
            entry["descriptor"] = chance.choice(("users-read", "user-owned", "none", {"hex": _sid_owned(chance)}))
    if chance.random() < 0.3:
        entry["time"] = _time(chance)
    return entry


def _path(chance: random.Random) -> str:
    parts = [chance.choice(_PARTS) for _ in range(chance.choice((1, 1, 2, 2, 3, 5)))]
    if chance.random() < 0.04:
        parts[chance.randrange(len(parts))] = chance.choice(_ODD)
    return "/".join(parts)


def _time(chance: random.Random) -> str | list[str]:
    def one() -> str:
        return str(chance.choice((1, 10**7, 10**9)) * chance.randint(-(9 * 10**9), 9 * 10**9))

    return one() if chance.random() < 0.5 else [one() for _ in range(4)]


def _sid_owned(chance: random.Random) -> str:
    """Return a descriptor of an owner alone, in hexadecimal digits."""
    return "01000080" + "14000000" + "00" * 12 + "0101000000000005" + chance.randbytes(4).hex()


# ---------------------------------------------------------------------------------------------
# Filling in


def filled(case: Case, made: Made) -> Case:
    """Return a case with its result filled in."""
    asked = {key: value for key, value in case.items() if key not in {"error", "length", "sha256", "bytes"}}
    if isinstance(made, Refused):
        return asked | {"error": {"code": made.code, "entry": made.entry}}
    length, digest = summary(made)
    shown = {"bytes": _runs(made)} if len(made) <= SHOWN and "entry" in case else {}
    return asked | {"length": length, "sha256": digest} | shown


def _runs(data: bytes) -> dict[str, str]:
    """Return the nonzero runs of *data* by offset, in hexadecimal digits; eight zeros end a run."""
    from generator.languages.literals import runs

    return {str(run.offset): run.data.hex() for run in runs(data) if run.data}


def write(name: str, cases: list[Case]) -> None:
    """Write the cases, one a line."""
    rows = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    (VECTORS / f"{name}.json").write_text(f"[\n{rows}\n]\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    for which in ("headers", "layers"):
        asked = _read(which)
        write(which, [filled(case, made) for case, made in zip(asked, by_python(asked), strict=True)])
