# SPDX-License-Identifier: Apache-2.0
"""The table of commands, and the doors to them: the same words mean the same, and end in the same status."""

import fcntl
import gzip
import hashlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from helpers.command_options import ARGUMENTS, TASKS
from helpers.support import INVOKE as PLAIN_INVOKE

from generator import VERSION
from generator.base.home import INSTALLED
from generator.cli import groups
from generator.cli.commands import COMMANDS, INVOKE, LETTERS, MODULE, text_of
from generator.cli.parser import DESCRIPTION

PROJECT = Path(__file__).parents[2]
pytestmark = pytest.mark.program
# ./invokew without its shell, which sets up .venv: the line of it that starts Python, with this Python.
STARTED = (PROJECT / "invokew").read_text("utf-8").rpartition("-c '")[2].rpartition("'")[0]
DOORS = {
    MODULE: [sys.executable, "-m", "generator"],
    INVOKE: [sys.executable, "-P", "-c", STARTED, "."],
}
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "GITHUB_ACTIONS"}


def run(tree: Path, door: str, *words: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [*DOORS[door], *words],
        cwd=tree,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


# ---------------------------------------------------------------------------------------------
# The table


def test_commands_arguments_and_options_have_help() -> None:
    for command in COMMANDS.values():
        assert command.help.endswith(".")
        texts = [text_of(each.help) for each in command.arguments] + [text_of(each.help) for each in command.options]
        assert all(len(text) > 5 for text in texts), command.name


def test_letters_of_options_are_unique_and_used() -> None:
    assert len({*LETTERS.values()}) == len(LETTERS)
    assert not {*LETTERS.values()} & {"h", "V"}, "Invoke and argparse keep these for help and version"
    assert LETTERS.keys() <= {option.name for command in COMMANDS.values() for option in command.options}


@pytest.mark.parametrize("door", DOORS)
def test_help_lists_commands_and_their_options(door: str, tree: Path) -> None:
    status, listed, _ = run(tree, door, "--list" if door == INVOKE else "--help")
    assert status == 0
    for command in COMMANDS.values():
        assert (re.search(rf"[\s,]{command.name}\b", listed) is not None) == (door in command.doors), command.name
        if door in command.doors:
            status, shown, _ = run(tree, door, command.name, "--help")
            assert status == 0
            for option in command.options:
                assert f"--{option.name}" in shown


def test_every_command_but_completion_is_in_all_programs() -> None:
    names = {door: {name for name, each in COMMANDS.items() if door in each.doors} for door in (*DOORS, INSTALLED)}
    assert names[INVOKE] == names[MODULE] == names[INSTALLED] - {"completion"}


def test_the_help_page_has_every_command_in_one_group() -> None:
    listed = [name for names in groups.GROUPS.values() for name in names]
    assert sorted(listed) == sorted(COMMANDS)
    assert all(len(line) <= 80 for line in groups.page(INSTALLED, DESCRIPTION).splitlines())


def test_the_program_without_a_command_prints_the_help_page(tree: Path) -> None:
    page = groups.page(MODULE, DESCRIPTION)
    for words in ((), ("help",), ("--help",), ("-h",)):
        assert run(tree, MODULE, *words) == (0, f"{page}\n", "")


@pytest.mark.parametrize("door", DOORS)
def test_help_of_a_command_is_that_of_its_option(door: str, tree: Path) -> None:
    assert run(tree, door, "help", "layer") == run(tree, door, "layer", "--help")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("imgae", "x"), "imgae: unknown command; hint: did you mean image?"),
        (("help", "chek-image"), "chek-image: unknown command; hint: did you mean check-image?"),
        (("lint",), "lint: unknown command; hint: ./invokew lint"),
        (("fix", "x"), "fix: unknown command; hint: ./invokew fix"),
        (("help", "test"), "test: unknown command; hint: ./invokew test --help"),
        (("frobnicate",), "frobnicate: unknown command; hint: python -m generator --help"),
        (("image", "x", "--platfrom=y"), "--platfrom=y: unknown option; hint: did you mean --platform?"),
        (("layer", "x", "--zzz"), "--zzz: unknown option; hint: python -m generator layer --help"),
    ],
)
def test_an_unknown_word_gets_the_closest_known_one(words: tuple[str, ...], error: str, tree: Path) -> None:
    assert run(tree, MODULE, *words) == (2, "", f"error: {error}\n")


def test_help_of_a_task_leads_to_its_option(tree: Path) -> None:
    said = "error: test: unknown command; hint: ./invokew test --help\n"
    assert run(tree, INVOKE, "help", "test") == (2, "", said)


# ---------------------------------------------------------------------------------------------
# Invoke tasks


def test_tasks_are_those_that_the_table_names_and_three_for_developers() -> None:
    assert TASKS.keys() == {name for name, each in COMMANDS.items() if each.task} | {*groups.DEVELOPER_TASKS}


@pytest.mark.parametrize("name", sorted(TASKS.keys() & COMMANDS.keys()))
def test_a_task_has_the_help_and_options_of_its_command(name: str) -> None:
    command, task = COMMANDS[name], TASKS[name]
    assert task.__doc__ == command.help
    found = {each.name: (each.kind is not bool, each.help, each.positional) for each in ARGUMENTS[name]}
    wanted = {each.name: (bool(each.value), text_of(each.help), False) for each in command.options}
    wanted |= {each.name.lower(): (True, text_of(each.help), True) for each in command.arguments}
    assert {name.replace("_", "-"): each for name, each in found.items()} == wanted


@pytest.mark.parametrize("name", sorted(TASKS))
def test_plain_invoke_lists_tasks_and_shows_their_help(name: str) -> None:
    done = subprocess.run([*PLAIN_INVOKE, "--help", name], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert " ".join(done.stdout.split()).find(TASKS[name].__doc__.rstrip(".")) > 0


@pytest.mark.parametrize("words", [("test", "--help"), ("--help", "test"), ("-h", "test"), ("test", "-h")])
def test_help_of_a_task_comes_before_or_after_its_name(tree: Path, words: tuple[str, ...]) -> None:
    status, shown, _ = run(tree, INVOKE, *words)
    assert status == 0
    assert "--thorough" in shown


# ---------------------------------------------------------------------------------------------
# Exit statuses


@pytest.mark.parametrize("door", DOORS)
def test_the_status_is_0_fresh_1_stale_and_2_wrong_use(door: str, tree: Path) -> None:
    assert run(tree, door, "check-stale")[0] == 0
    assert run(tree, door, "--version") == (0, f"winscratch {VERSION}\n", "")
    wrong = (
        ("check-stale", "--jsno"),
        ("check-stale", "-x"),
        ("chek-stale",),
        ("generate", "--only"),
        ("generate", "--only", "none"),
        ("vendor", "python"),
        ("vendor", "--nonsense", "python", "scratch", "x"),
        ("check-hive",),
        ("layer", "scratch"),
        ("layer", "scratch", "--tar", "--blob"),
        ("sddl", "O:XX"),
    )
    for words in wrong:
        status, said, notes = run(tree, door, *words)
        assert (status, said, notes.count("\n")) == (2, "", 1), words
    assert "nosuch: unknown layer" in run(tree, door, "layer", "nosuch")[2]
    assert "give exactly one of --tar, --blob, --bcd and --info" in run(tree, door, "layer", "scratch")[2]
    (tree / "output/go/go.mod").unlink()
    for words in (("check-stale",), ("check-stale", "--json")):
        status, said, notes = run(tree, door, *words)
        assert (status, notes) == (1, "")
        assert "output/go/go.mod" in said


@pytest.mark.parametrize("door", DOORS)
def test_an_interruption_is_130_and_one_line(door: str, tree: Path) -> None:
    # A program that is started while interruptions are ignored, as in a shell's background, ignores them too.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    holder = os.open(tree, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    with subprocess.Popen(
        [*DOORS[door], "check-stale"], cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        limit = threading.Timer(60, process.kill)
        limit.start()
        assert process.stderr is not None
        waits = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        said, notes = process.communicate()
        limit.cancel()
    os.close(holder)
    signal.signal(signal.SIGINT, before)
    assert waits.startswith("waiting for the lock of ")
    assert (process.returncode, said, notes.count("\n")) == (130, "", 1)
    assert notes.startswith("interrupted")


@pytest.mark.parametrize("door", DOORS)
def test_a_fault_of_the_program_itself_is_no_finding(door: str, tree: Path) -> None:
    program = tree / "generator/vendoring/layer_command.py"
    program.write_text(program.read_text().replace("def show(", "def shown("))
    status, said, notes = run(tree, door, "layer", "scratch", "--info")
    assert (status, said) == (2, "")
    assert "AttributeError" in notes


# ---------------------------------------------------------------------------------------------
# Words


@pytest.mark.parametrize("door", DOORS)
def test_a_path_may_begin_with_a_dash_after_two(door: str, tree: Path) -> None:
    def said(*words: str) -> list[str]:
        done = subprocess.run(
            [*DOORS[door], *words], cwd=tree, capture_output=True, text=True, check=False, env=ENVIRONMENT
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    assert said("vendor", "python", "scratch", "--", "-x/y.py") == ["wrote -x/y.py"]
    assert said("vendor", "python", "-n", "--", "legacy", "-x/z.py") == ["would write -x/z.py"]
    assert said("vendored", "--", "-x") == ["fresh: -x/y.py (python, scratch)"]
    documents = json.loads("".join(said("vendored", "output/python", "--json", "--", "-x/y.py")))
    assert {document["path"] for document in documents} > {"-x/y.py"}
    assert len(documents) > 1


@pytest.mark.parametrize("door", DOORS)
def test_words_too_many_are_refused(door: str, tree: Path) -> None:
    for words in (("layer", "-i", "--", "scratch", "--info"), ("layer", "scratch", "legacy", "--info")):
        assert run(tree, door, *words)[0] == 2, words


@pytest.mark.parametrize(
    "words",
    ["check-image", "outdated", "inspect", "index --to oci:o", "extract --to o", "rebase --onto scratch --to oci:o"],
)
def test_an_empty_name_of_an_image_is_refused(words: str, tmp_path: Path) -> None:
    environment = ENVIRONMENT | {"PYTHONPATH": str(PROJECT)}
    line = [*DOORS[MODULE], *words.split(), ""]
    done = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: '': an empty name")
    assert list(tmp_path.iterdir()) == []


def test_a_word_that_is_a_commands_name_may_be_a_path(tree: Path) -> None:
    (tree / "layer").mkdir()
    for door in DOORS:
        assert run(tree, door, "vendored", "output/python", "--", "layer", "output/c", "vendor")[0] == 2
        assert run(tree, door, "vendored", "output/python", "layer", "output/c")[0] == 0


# ---------------------------------------------------------------------------------------------
# A layer on standard output


@pytest.mark.parametrize("door", DOORS)
def test_a_layer_comes_out_as_it_is_committed(door: str, tree: Path) -> None:
    def layer(*words: str) -> bytes:
        return subprocess.run([*DOORS[door], "layer", *words], cwd=tree, check=True, capture_output=True).stdout

    blob = (tree / "output/layers/scratch.tar.gz").read_bytes()
    tar = gzip.decompress(blob)
    assert layer("scratch", "--blob") == blob
    assert layer("scratch", "-t") == tar
    bcd = layer("scratch", "--bcd")
    assert bcd[:4] == b"regf"
    assert bcd in tar
    module = [sys.executable, str(tree / "output/python/windows_scratch.py"), "--info"]
    own = json.loads(subprocess.run(module, check=True, capture_output=True).stdout)
    told = json.loads(layer("scratch", "--info"))
    assert told == {name: own[name] for name in told}
    assert (told["digest"], told["blobSize"]) == ("sha256:" + hashlib.sha256(blob).hexdigest(), len(blob))
    assert (told["diffID"], told["layerSize"]) == ("sha256:" + hashlib.sha256(tar).hexdigest(), len(tar))


def test_a_layer_without_a_bcd_store_says_so(tree: Path) -> None:
    error = "error: hostprocess: this layer has no BCD store; hint: leave out --bcd\n"
    assert run(tree, MODULE, "layer", "hostprocess", "--bcd") == (2, "", error)


def test_bytes_are_not_written_to_a_terminal(tree: Path) -> None:
    ours, its = pty.openpty()
    for part in ("--tar", "--blob", "--bcd"):
        done = subprocess.run(
            [*DOORS[MODULE], "layer", "scratch", part],
            cwd=tree,
            stdout=its,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr.startswith("error: standard output: binary data")) == (2, True)
    os.set_blocking(ours, False)
    with pytest.raises(BlockingIOError):
        os.read(ours, 1)
    os.close(ours)
    os.close(its)
