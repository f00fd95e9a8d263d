# SPDX-License-Identifier: Apache-2.0
"""The commands in documents run, and print what the documents show; those that do not run say why."""

import contextlib
import re
from pathlib import Path

import pytest
from helpers.committed_modules import PROJECT, registry
from helpers.document_blocks import REGISTRY, Block, Session, blocks, documents, matches

# Documents whose commands a test of their own runs, on what it makes for them.
OWN = {
    "docs/languages/": "tests/project/test_language_pages.py",
    "docs/check-hive.md": "tests/hives/test_check_hive_document.py",
    "docs/inspection.md": "tests/views/test_inspection_docs.py",
}
ALL = {path.relative_to(PROJECT).as_posix(): [*blocks(path)] for path in documents()}
RUN = {name: [block for block in found if block.runs] for name, found in ALL.items() if not name.startswith((*OWN,))}
NOT_RUN = [block for found in ALL.values() for block in found if "not run" in block.marks]


@pytest.mark.parametrize("name", [name for name, found in RUN.items() if found])
def test_commands_of_a_document_print_what_it_shows(name: str, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        named = any(REGISTRY in command for block in RUN[name] for command, _ in block.commands)
        session = Session(tmp_path / "session", stack.enter_context(registry(tmp_path)) if named else "")
        wrong = [each for block in RUN[name] for each in differences(session, block)]
    assert wrong == []


def differences(session: Session, block: Block) -> list[tuple[str, str]]:
    """Return the commands of *block* that print something else than it shows, with that."""
    outputs = session.run(block)
    assert len(outputs) == len(block.commands), (block.commands, outputs)
    return [
        (command, output)
        for (command, shown), output in zip(block.commands, outputs, strict=True)
        if not matches(shown, output) or (shown == "…\n" and re.search("^error: |not found$", output, re.MULTILINE))
    ]


def test_blocks_that_other_tests_run_name_a_test_that_calls_their_programs() -> None:
    marked = [
        (block, block.marks["tested by"]) for found in ALL.values() for block in found if "tested by" in block.marks
    ]
    assert [(block.document.name, test) for block, test in marked if not calls(PROJECT / test, block)] == []


def test_documents_with_a_test_of_their_own_are_read_by_one() -> None:
    texts = [path.read_text("utf-8") for path in (PROJECT / "tests").rglob("test_*.py")]
    named = {block.document.name for found in ALL.values() for block in found if "run" in block.marks}
    assert [name for name in sorted(named) if not any(name in text and "run" in text for text in texts)] == []
    assert len(named) > 1
    for name, test in OWN.items():
        assert name.rstrip("/").rpartition("/")[2] in (PROJECT / test).read_text("utf-8")


def calls(test: Path, block: Block) -> bool:
    """Return whether *test* reads the document, or names the programs that *block* starts."""
    text = test.read_text("utf-8") if test.is_file() else ""
    lines = [line for command, _ in block.commands for line in command.splitlines() if line[:1] > " "]
    words = [next(word for word in line.split() if "=" not in word) for line in lines]
    return block.document.name in text or (text != "" and all(Path(word).name in text for word in words))


def test_commands_that_are_not_run_have_a_reason_and_are_counted() -> None:
    listed = re.search(
        r"^Commands in documents that no test runs: (\d+)",
        (PROJECT / "docs/reliability.md").read_text("utf-8"),
        re.MULTILINE,
    )
    assert listed is not None
    assert int(listed[1]) == len(NOT_RUN), [(block.document.name, block.marks["not run"]) for block in NOT_RUN]
    assert all(len(block.marks["not run"]) > 10 for block in NOT_RUN)


@pytest.mark.parametrize(
    ("shown", "output", "equal"),
    [
        ("a\n", "a\n", True),
        ("a\n", "b\n", False),
        ("a\n…\n", "a\nb\nc\n", True),
        ("…\nc\n", "a\nb\n", False),
        ("sha256:…\n", "sha256:ab\n", True),
        ("", "a\n", False),
    ],
)
def test_an_ellipsis_stands_for_any_text(shown: str, output: str, equal: bool) -> None:
    assert matches(shown, output) is equal
