# SPDX-License-Identifier: Apache-2.0
"""Patterns of .dockerignore, by Docker's documentation and against github.com/moby/patternmatcher."""

import json
import random
import subprocess

import pytest
from helpers.counts import count
from helpers.support import HANG, need

from generator.base.errors import GeneratorError
from generator.builder.wire import ROOT
from generator.image.dockerignore import parse, parse_file

# Docker's documentation, "Build context": what each pattern does, in its words or its examples.
DOCUMENTED = {
    "*/temp*": {"somedir/temporary.txt": True, "somedir/temp": True, "temp": False, "a/b/temp": False},
    "*/*/temp*": {"somedir/subdir/temporary.txt": True, "somedir/temporary.txt": False},
    "temp?": {"tempa": True, "tempb": True, "temp": False, "tempab": False, "tempa/below": True},
    "**/*.go": {"x.go": True, "a/b/x.go": True, "x.god": False},
    "# comment\n*.md": {"README.md": True, "# comment": False, "docs/README.md": False},
    "*.md\n!README.md": {"README.md": False, "CHANGES.md": True},
    "*.md\n!README*.md\nREADME-secret.md": {"README-secret.md": True, "README-a.md": False, "x.md": True},
    "*.md\nREADME-secret.md\n!README*.md": {"README-secret.md": False, "README-a.md": False, "x.md": True},
    "/foo/bar": {"foo/bar": True, "foo/bar/x": True, "a/foo/bar": False},
    "foo/bar": {"foo/bar": True, "foo/bar/x": True, "a/foo/bar": False},
    "foo/": {"foo": True, "foo/x": True, "food": False},
    "  foo\t\n\n": {"foo": True, "": False},
    "\ufefffoo\r\nbar\r\n": {"foo": True, "bar": True},
    "*\n!folder/kept": {"folder": True, "folder/other": True, "folder/kept": False, "folder/kept/below": False},
    "a\\*b": {"a*b": True, "axb": False},
    "[a-c]x": {"bx": True, "dx": False},
    "größe/日*": {"größe/日本": True, "größe/x": False},
}


@pytest.mark.parametrize("file", DOCUMENTED)
def test_documented_patterns_of_docker(file: str) -> None:
    patterns = parse_file(file, ".dockerignore")
    assert {path: patterns.exclude(path) for path in DOCUMENTED[file]} == DOCUMENTED[file]


def test_random_patterns_match_as_in_moby() -> None:
    chosen = random.Random(11)  # noqa: S311 - to be the same each time
    parts = ["a", "b", "ab", "/", "/", "*", "**", "**/", "?", "[ab]", "[a-b]", "\\*", ".", "//", "a.b", "é"]
    questions = []
    for _ in range(count(600, 6000)):
        lines = [
            "!" * (chosen.random() < 0.25) + "".join(chosen.choices(parts, k=chosen.randint(1, 6)))
            for _ in range(chosen.choice([1, 1, 2, 3]))
        ]
        if chosen.random() < 0.1:  # ``**`` in names
            lines.append("".join(chosen.choices(["a", "b", "**", "**", "*", "?", "[ab]", "/"], k=8)))
        names = ["".join(chosen.choices("aab.*é", k=chosen.randint(1, 3))) for _ in range(36)]
        names = [name for name in names if name not in {".", ".."}]
        paths = ["/".join(chosen.choices(names, k=chosen.randint(1, 4))) for _ in range(12)]
        questions.append({"file": "\n".join(lines), "paths": paths})
    done = subprocess.run(
        [need("go"), "run", "./patterns"],
        cwd=ROOT / "tests/languages/go",
        input=json.dumps(questions).encode(),
        capture_output=True,
        check=True,
    )
    answers = json.loads(done.stdout)
    assert sum(answer is None for answer in answers) > len(answers) // 120
    assert sum(sum(answer or ()) for answer in answers) > len(answers) * 5 // 6
    for question, answer in zip(questions, answers, strict=True):
        try:
            patterns = parse_file(str(question["file"]), ".dockerignore")
            found = [patterns.exclude(path) for path in question["paths"]]
        except GeneratorError:
            found = None
        assert found == answer, question


@pytest.mark.parametrize(
    ("file", "line", "reason"),
    [
        ("a\n[b", 2, "an unclosed"),
        ("a\\", 1, "an unclosed"),
        ("[z-a]", 1, "bad character range"),
        ("[]", 1, "an unclosed"),
        ("[-]", 1, "invalid range"),
        ("a\n\n!", 3, "without a pattern"),
        ("x" * 5000, 1, "longer than 4,096"),
    ],
)
def test_an_invalid_pattern_is_refused_with_its_line(file: str, line: int, reason: str) -> None:
    with pytest.raises(GeneratorError) as refused:
        parse_file(file, "some/.dockerignore")
    assert str(refused.value).startswith(f"some/.dockerignore: line {line}: ")
    assert reason in str(refused.value)


@pytest.mark.timeout(HANG)
@pytest.mark.parametrize("pattern", ["*a" * 40 + "b", "**/a*/" * 20 + "b", "**/" * 400 + "b", "**a**b**c" + "*a" * 20])
def test_no_pattern_takes_long(pattern: str) -> None:
    patterns = parse([pattern], "--exclude")
    assert not patterns.exclude("/".join(["a" * 40] * 10))


@pytest.mark.timeout(HANG)
@pytest.mark.parametrize("pattern", ["**a**a**b", "a**" * 1000 + "b", "**[a-c]**a**" * 100 + "b", "**a**/**a**b"])
def test_no_pattern_takes_long_on_a_deep_path(pattern: str) -> None:
    patterns = parse([pattern], "--exclude")
    path = "/".join("a" * 1900)
    assert not patterns.exclude(path)
    assert patterns.exclude(f"{path}/b/below")
