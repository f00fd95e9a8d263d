# SPDX-License-Identifier: Apache-2.0
"""Untrusted TOML: text that would cost tomllib too much is rejected before parsing."""

import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from generator.base import toml
from generator.base.errors import GeneratorError
from generator.builder.wire import ROOT
from generator.image import options
from generator.layerspec import layer
from generator.oci import files
from generator.vendoring import lock_file

LIMIT = 10_000  # replaces toml.MAX_COST in these tests
LINES = 12  # executed lines of tomllib's source for each key part or character
DOTS = "a." * 16_000 + "a"
NAME = ".".join(["a"] * toml.MAX_PARTS)


def many(line: Callable[[int], str]) -> str:
    """Return the longest text of lines that is parsed with LIMIT, by bisection."""
    low, high = 1, 8_000
    while low < high:
        middle = (low + high + 1) // 2
        try:
            toml.parse("".join(map(line, range(middle))).encode(), "x")
            low = middle
        except GeneratorError:
            high = middle - 1
    return "".join(map(line, range(low)))


SHAPES: dict[str, Callable[[int], str]] = {
    "keys": lambda i: f"k{i} = 1\n",
    "dotted keys": lambda i: f"k{i}.{'.'.join('a' * 62)} = 1\n",
    "dotted keys of few words": lambda i: f"k{i}.a.b = 1\n",
    "tables": lambda i: f"[k{i}]\n",
    "tables of long names": lambda i: f"[k{i}.{'.'.join('a' * 62)}]\n",
    "arrays of tables": lambda _: "[[k]]\n",
    "inline tables": lambda i: f"k{i} = {{}}\n",
    "dotted keys of inline tables": lambda i: f"k{i} = {{{'.'.join('a' * 62)} = {{}}}}\n",
    "one table of a long name and its keys": lambda i: f"k{i} = 1\n" if i else f"[{NAME}]\n",
    "dotted keys in a table of a long name": lambda i: f"k{i}.{'.'.join('a' * 30)} = 1\n" if i else f"[{NAME}]\n",
}


def lines_run(text: str) -> int:
    """Count the lines of tomllib's source that run to parse *text*."""
    count = 0

    def line(frame: FrameType, event: str, argument: Any) -> Any:  # noqa: ARG001 - Python's signature
        nonlocal count
        count += event == "line"
        return line if "tomllib" in frame.f_code.co_filename else None

    before = sys.gettrace()
    sys.settrace(line)
    try:
        tomllib.loads(text)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("shape", SHAPES)
def test_cost_of_accepted_text_is_linear_in_limit_and_length(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toml, "MAX_COST", LIMIT)
    text = many(SHAPES[shape])
    assert toml.parse(text.encode(), "x") == tomllib.loads(text)
    assert lines_run(text) < LINES * (LIMIT + len(text))
    with pytest.raises(GeneratorError, match=r"^x: line \d+: too many keys and tables up to here; hint: use fewer"):
        toml.parse("".join(map(SHAPES[shape], range(text.count("\n") + 1))).encode(), "x")


def without_end(dotted: str) -> Iterator[str]:
    """Yield texts that hide the *dotted* key in tables, arrays, strings and comments."""
    for key in (dotted, dotted.replace("a", '"a"'), dotted.replace("a", '"="'), dotted.replace("a", "'[#'")):
        yield f"{key} = 1\n"
        yield f"[{key}]\n"
        yield f"[[ {key} ]]\n"
        yield f"x = {{{key} = 1}}\n"
        yield f"x = [1, {{ y = [{{ z = 2, {key} = 1 }}] }}]\n"
        for string in ('"""a""""', '"""a"""""', "'''a''''", "'''a'''''", '"""\\""""""', '""', "''", '"\\\\"', "'\\'"):
            yield f"x = {string}\n{key} = 1\n"
            yield f"x = [{string},\n{string}, # ]'\n {{ {key} = 1 }}]\n"
        yield f'x = """\n"""\r\ny = \'\'\'\r\n\'\'\' # """\n{key} = 1\n'


@pytest.mark.parametrize("text", [*without_end(DOTS)])
def test_too_long_dotted_key_is_refused_anywhere(text: str) -> None:
    with pytest.raises(GeneratorError, match=r"^x: line \d: more than 64 words joined by dots; hint: fix$"):
        toml.parse(text.encode(), "x", "fix")


@pytest.mark.parametrize("text", [*without_end("a.b"), *without_end(".".join(f"a{i}" for i in range(64)))])
def test_longest_allowed_dotted_key_is_read_anywhere(text: str) -> None:
    try:
        expected = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        with pytest.raises(GeneratorError, match="x: invalid TOML: "):
            toml.parse(text.encode(), "x")
    else:
        assert toml.parse(text.encode(), "x") == expected


def test_every_reader_of_toml_uses_the_same_guard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '"=".' * 16_000 + "a = 1\n"
    monkeypatch.chdir(tmp_path)
    for name in ("config.toml", lock_file.NAME):
        (tmp_path / name).write_text(text)
    readers: tuple[Callable[[], object], ...] = (
        lambda: layer.parse("x", text.encode(), "x"),
        lambda: files.parse(text.encode(), "x"),
        lambda: options.read(tmp_path / "config.toml"),
        lambda: lock_file.read(tmp_path),
    )
    for read in readers:
        with pytest.raises(GeneratorError, match="line 1: more than 64 words joined by dots"):
            read()
    found = [path for path in (ROOT / "generator").rglob("*.py") if "tomllib.load" in path.read_text("utf-8")]
    assert found == [ROOT / "generator/base/toml.py"]


def test_error_is_one_short_line() -> None:
    for raw, problem in (
        (b"#" * (toml.MAX_TEXT + 1), "larger than 1,048,576 bytes"),
        (b"x = " + b"[" * 100_000, "line 1: arrays or tables nested more than 64 deep"),
        (b"x = " + b"{a=" * 100_000, "line 1: arrays or tables nested more than 64 deep"),
        (b"x = '\xff'", "byte 5 is not UTF-8"),
        (b"x = " + b"1" * 5000, "invalid TOML: Exceeds the limit"),
        (b"[" + b"a" * 100_000 + b"]\n[" + b"a" * 100_000 + b"]\n", "invalid TOML: Cannot declare"),
    ):
        with pytest.raises(GeneratorError, match=f"^x: {problem}") as failure:
            toml.parse(raw, "x")
        assert len(str(failure.value)) < 400
