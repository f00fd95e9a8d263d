# SPDX-License-Identifier: Apache-2.0
"""TOML from outside: whatever its text is, tomllib is given no more work than a limit, or is not asked at all."""

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

LIMIT = 40_000  # of work in these tests, in the place of toml.MAX_WORK
LINES = 12  # of tomllib's source that one part of a key, or a character of the text, may take
DOTS = "a." * 16_000 + "a"
NAME = ".".join(["a"] * toml.MAX_PARTS)


def many(line: Callable[[int], str]) -> str:
    """Return as many of the lines as are allowed with LIMIT, by bisection."""
    low, high = 1, 100_000
    while low < high:
        middle = (low + high + 1) // 2
        if toml._costly("".join(map(line, range(middle)))) is None:
            low = middle
        else:
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
    """Return how many lines of tomllib's source run to parse *text*."""
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
def test_what_is_allowed_takes_work_by_the_limit_and_the_length(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toml, "MAX_WORK", LIMIT)
    text = many(SHAPES[shape])
    assert toml.parse(text.encode(), "x") == tomllib.loads(text)
    assert lines_run(text) < LINES * (LIMIT + len(text))
    with pytest.raises(GeneratorError, match=r"^x: line \d+: more keys and tables up to here than a file needs"):
        toml.parse("".join(map(SHAPES[shape], range(text.count("\n") + 1))).encode(), "x")


def without_end(dotted: str) -> Iterator[str]:
    """Yield texts that hide a *dotted* key of very many words behind what looks like something else."""
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
def test_a_key_of_very_many_words_is_refused_wherever_it_stands(text: str) -> None:
    with pytest.raises(
        GeneratorError, match=r"^x: line \d: more than 64 words joined by dots; a key has far fewer; fix$"
    ):
        toml.parse(text.encode(), "x", "fix")


@pytest.mark.parametrize("text", [*without_end("a.b"), *without_end(".".join(f"a{i}" for i in range(64)))])
def test_as_many_words_as_are_allowed_are_read_wherever_they_stand(text: str) -> None:
    try:
        expected = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        with pytest.raises(GeneratorError, match="x: not TOML: "):
            toml.parse(text.encode(), "x")
    else:
        assert toml.parse(text.encode(), "x") == expected


def test_every_reader_of_toml_has_the_one_guard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert found == [ROOT / "generator/toml.py"]


def test_what_is_too_long_too_deep_or_no_text_is_one_line_of_few_characters() -> None:
    for raw, problem in (
        (b"#" * (toml.MAX_TEXT + 1), "larger than 1,048,576 bytes"),
        (b"x = " + b"[" * 100_000, "line 1: arrays or tables nested more than 64 deep"),
        (b"x = " + b"{a=" * 100_000, "line 1: arrays or tables nested more than 64 deep"),
        (b"x = '\xff'", "byte 5 is not UTF-8"),
        (b"x = " + b"1" * 5000, "not TOML: Exceeds the limit"),
        (b"[" + b"a" * 100_000 + b"]\n[" + b"a" * 100_000 + b"]\n", "not TOML: Cannot declare"),
    ):
        with pytest.raises(GeneratorError, match=f"^x: {problem}") as failure:
            toml.parse(raw, "x")
        assert len(str(failure.value)) < 400
