# SPDX-License-Identifier: Apache-2.0
"""The words of the project: the form of error messages, and phrases that read like a translation.

A search for phrases is all the prose linting there is.
"""

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import offenders
from helpers.offenders import ROOT

ERRORS = {"GeneratorError", "EngineError"}  # printed to users after `error: `
PRINTED = ("error: ", "warning: ")
# `subject: problem`, perhaps with `; hint: command`. A placeholder is written as {}.
FORM = re.compile(r"(?P<subject>[^;]*?[^;: ]): (?P<problem>[^;]*[^;. ])(; hint: [^;]*[^;. ])?", re.DOTALL)
PHRASES = r"\b(told|tells|is none|is no(?! longer)|says of|what is)\b"
NAMES = r"(Docker|Git|Go|Invoke|Java|Python|Windows)\b"  # that start a problem
MOST_PHRASES = 40


def text_of(node: ast.expr) -> str | None:
    """Return the text of a string or f-string with {} for each placeholder; None for another expression."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def messages(source: str) -> Iterator[str]:
    """Yield the texts of all errors and warnings in *source*."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and node.args and (text := text_of(node.args[0])) is not None:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ERRORS:
                yield text
            elif text.startswith(PRINTED):
                yield text.partition(": ")[2]


def problem_with(message: str) -> str:
    """Return which rule *message* breaks, or an empty string."""
    if message.startswith("{}") and ": " not in message:  # another message, with nothing of ours but its subject
        return ""
    match = FORM.fullmatch(message)
    if match is None:
        return "not of the form `subject: problem; hint: command`"
    if re.match(r"[A-Z][a-z]", match["problem"]) and not re.match(NAMES, match["problem"]):
        return "starts with a capital"
    return "has a banned phrase" if re.search(PHRASES, message) else ""


@pytest.mark.parametrize(
    ("message", "good"),
    [
        ("{}: not found", True),
        ("{}: not found; hint: ./invokew generate", True),
        ("--to: is missing; hint: --to oci:out", True),
        ("layer: {}: unknown layer", True),
        ("{}: {}", True),
        ("{}", True),
        ("not found", False),
        ("{}: not found.", False),
        ("{}: Not found", False),
        ("{}: not found; run it again", False),
        ("{}: the reference is none", False),
    ],
)
def test_the_form_of_messages_is_checked(message: str, good: bool) -> None:
    assert (problem_with(message) == "") == good


def bad_messages() -> dict[str, list[str]]:
    """Return by file each message that breaks a rule, with that rule."""
    found = {}
    for path in sorted((ROOT / "generator").rglob("*.py")):
        bad = [f"{text}: {why}" for text in messages(path.read_text("utf-8")) if (why := problem_with(text))]
        if bad:
            found[path.relative_to(ROOT).as_posix()] = bad
    return found


def test_errors_and_warnings_have_a_subject_a_problem_and_perhaps_a_hint() -> None:
    allowed = offenders.known()["messages"]
    new = {path: bad for path, bad in bad_messages().items() if len(bad) > allowed.get(path, 0)}
    assert new == {}


def texts(path: Path) -> Iterator[str]:
    """Yield the prose of a file: a document without headings, or the comments and strings of a Python file."""
    text = path.read_text("utf-8")
    if path.suffix == ".md":
        yield re.sub(r"^#.*$", "", text, flags=re.MULTILINE)
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in {tokenize.COMMENT, tokenize.STRING} or token.type == getattr(tokenize, "FSTRING_MIDDLE", -1):
            yield token.string


def phrases() -> Counter[str]:
    """Return how often each file has a banned phrase."""
    found: Counter[str] = Counter()
    paths = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*.py")]
    for folder in ("generator", "tests", "bench", "packages"):
        paths += (ROOT / folder).rglob("*.py")
    for path in paths:
        if path.is_file() and path != Path(__file__):
            name = path.relative_to(ROOT).as_posix()
            found[name] += sum(len(re.findall(PHRASES, text, re.IGNORECASE)) for text in texts(path))
    return +found


def test_phrases_of_a_translation_are_rare() -> None:
    found = phrases()
    print(f"{found.total()} phrases")
    assert found.total() <= max(MOST_PHRASES, offenders.known()["phrases"]), found.most_common(20)
