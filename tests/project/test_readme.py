# SPDX-License-Identifier: Apache-2.0
"""The README and the pages beside it state facts: sizes, commands, messages and numbers equal the real ones."""

import ast
import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

from helpers.command_options import OPTIONS
from helpers.mutations import MUTATIONS
from helpers.random_hives import committed_hives

PROJECT = Path(__file__).parents[2]
LAYERS = sorted(PROJECT.glob("generator/layers/*.toml"))
README = (PROJECT / "README.md").read_text("utf-8")
COMMANDS_PAGE = (PROJECT / "docs/commands.md").read_text("utf-8")
TROUBLESHOOTING = (PROJECT / "docs/troubleshooting.md").read_text("utf-8")
RELIABILITY = (PROJECT / "docs/reliability.md").read_text("utf-8")


def test_the_python_example_saves_the_layer_as_it_is_committed(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(PROJECT / "output/python"), "PYTHONDONTWRITEBYTECODE": "1"}
    command: list[str | Path] = [sys.executable, "-W", "error", PROJECT / "examples/python/save.py", tmp_path]
    subprocess.run(command, check=True, env=environment)
    blob = (PROJECT / "output/layers/scratch.tar.gz").read_bytes()
    assert (tmp_path / "layer.tar.gz").read_bytes() == blob
    assert (tmp_path / "layer.tar").read_bytes() == gzip.decompress(blob)
    assert (tmp_path / "BCD").read_bytes()[:4] == b"regf"


def test_the_sizes_in_the_table_of_layers_are_those_of_the_blobs() -> None:
    rows = re.findall(r"^\| `(\w+)` .*\| ([\d,]+) \| ([\d,]+) \|$", README, re.MULTILINE)
    assert {name for name, _, _ in rows} == {path.stem for path in LAYERS}
    for name, tar, compressed in rows:
        blob = (PROJECT / f"output/layers/{name}.tar.gz").read_bytes()
        assert (len(gzip.decompress(blob)), len(blob)) == (int(tar.replace(",", "")), int(compressed.replace(",", "")))


def test_the_page_of_commands_lists_every_command_and_documents_use_existing_options() -> None:
    listed = {*re.findall(r"^\| `([a-z-]+)`[A-Z ….]* \| ", COMMANDS_PAGE, re.MULTILINE)}
    assert OPTIONS.keys() == listed
    for path in (
        PROJECT / "README.md",
        PROJECT / "CONTRIBUTING.md",
        PROJECT / "SECURITY.md",
        *PROJECT.glob("docs/*.md"),
    ):
        given = re.findall(r"(?:\./invokew|\bwinscratch) ([a-z][a-z-]*)\b([^`\n#]*)", path.read_text("utf-8"))
        for name, rest in given:
            if name in OPTIONS:
                assert {*re.findall(r"--([a-z-]+)", rest)} <= OPTIONS[name], f"{path.name}: {name}{rest}"
            else:
                assert not rest.startswith((" --", " PATH")), f"{path.name}: {name}{rest}"


def test_the_map_of_the_documentation_links_every_page() -> None:
    linked = {*re.findall(r"\]\(([^)#]+)", (PROJECT / "docs/README.md").read_text("utf-8"))}
    pages = {path.relative_to(PROJECT / "docs").as_posix() for path in PROJECT.glob("docs/**/*.md")} - {"README.md"}
    assert pages - linked == set()
    assert len(pages) > 30


# ---------------------------------------------------------------------------------------------
# Troubleshooting


def spoken() -> set[str]:
    """Return every text in the program's sources, what it puts in as …, and invokew's."""
    found = {(PROJECT / "invokew").read_text("utf-8")}
    for path in (*(PROJECT / "generator").rglob("*.py"), *(PROJECT / "tests/tooling").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                found.add("".join(str(v.value) if isinstance(v, ast.Constant) else "…" for v in node.values))
    return found


def test_every_message_that_is_explained_is_one_that_the_program_has() -> None:
    messages = re.findall(r"^\| `([^`]+)` \|", TROUBLESHOOTING, re.MULTILINE)
    assert len(messages) == TROUBLESHOOTING.count("\n| ") - 1 > 9
    texts = spoken()
    assert [message for message in messages if not any(message in text for text in texts)] == []


# ---------------------------------------------------------------------------------------------
# Numbers


def cases(what: str) -> int:
    """Return the number in the row of the table of reliability that starts with *what*."""
    found = re.search(rf"^\| {re.escape(what)}[^|]* \| ([\d,]+)[^|]* \|", RELIABILITY, re.MULTILINE)
    assert found is not None, what
    return int(found[1].replace(",", ""))


def constant(file: str, pattern: str) -> int:
    """Return the number that *pattern* finds in a test."""
    found = re.search(pattern, (PROJECT / "tests" / file).read_text("utf-8"), re.MULTILINE)
    assert found is not None, file
    return int(found[1])


def test_the_numbers_of_reliability_are_those_of_the_tests() -> None:
    hives = {data for data, _ in committed_hives().values()}
    assert cases("each bit of each distinct committed hive flipped") == 8 * sum(map(len, hives))
    plans = constant("hives/test_layout.py", r"^PLANS = count\(\d+, (\d[\d_]+)\)$")
    assert cases("random hives laid out here and by hivex") == plans
    bulk = constant("hives/test_reader_bounds.py", r"^BULK = count\([\d_]+, (\d[\d_]+)\)$")
    assert cases("hives damaged at random") == bulk
    assert cases("damaged hives, each found by") == len(MUTATIONS)
