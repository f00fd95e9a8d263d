# SPDX-License-Identifier: Apache-2.0
"""docs/image-options.md: its program runs, and its table has every option with its type and default."""

import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from helpers import image_runs
from helpers.programs import pe

from generator.base.errors import GeneratorError
from generator.builder.wire import ROOT
from generator.cli import parser
from generator.cli.commands import COMMANDS
from generator.image import Options, transfer
from generator.image.options import checked, given
from generator.image.source_name import parse_source

TEXT = (ROOT / "docs/image-options.md").read_text("utf-8")
ROWS = dict(re.findall(r"^\| `([a-z-]+)` \| (\w+ \| [^|]*?) \|", TEXT, re.MULTILINE))
TYPES = {str: "string", bool: "boolean", tuple: "list", dict: "table"}


PROGRAMS = re.findall(r"^<!-- run -->\n```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def run(program: str, folder: Path) -> list[str]:
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "XDG_CACHE_HOME": image_runs.cache()}
    program = program.replace("from winscratch.", "from generator.")  # which it is called in a checkout
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_the_first_program_makes_an_image(tmp_path: Path) -> None:
    (tmp_path / "hello.exe").write_bytes(pe())
    digest, *references = run(PROGRAMS[0], tmp_path)
    assert references == [f"oci:out@{digest}", f"oci-archive:hello.tar@{digest}"]
    assert image_runs.named(tmp_path / "out")["hello"]["digest"] == digest


def test_the_second_program_makes_an_image_of_data(tmp_path: Path) -> None:
    (digest,) = run(PROGRAMS[1], tmp_path)
    assert len(PROGRAMS) == 2
    (tmp_path / "a").write_bytes(b"MZ")
    (tmp_path / "b").write_text("color = 1")
    words = (r"a:C:\app\hello.exe", r"b:C:\app\hello.toml@attributes=read-only", "--to", "oci:paths:1")
    assert image_runs.command(*words, folder=tmp_path).stdout == f"oci:paths@{digest}\n"


@pytest.mark.parametrize("text", re.findall(r"^\| `\w+` \| `(\w\S*@\S+)` \|", TEXT, re.MULTILINE))
def test_examples_of_options_of_a_source_are_read(text: str) -> None:
    assert "@" not in parse_source(text)[0].path.name


def test_the_table_has_every_option_with_its_type_and_default() -> None:
    wanted = {}
    for field in msgspec.structs.fields(Options):
        default = getattr(Options(), field.name)
        shown = {"platform": "`windows/amd64`", "to": "required"}.get(field.name)
        if shown is None:
            shown = f"`{str(default).lower()}`" if default or isinstance(default, bool) else "none"
        wanted[field.encode_name] = f"{TYPES[type(default)]} | {shown}".rstrip()
    assert {name: row.rstrip() for name, row in ROWS.items()} == wanted


def test_the_command_has_every_option_of_the_table_and_two_more() -> None:
    options = {option.name for option in COMMANDS["image"].options}
    assert options == {*ROWS} - {"source"} | {"owner", "config"}
    words = {option.name.replace("-", "_"): None for option in COMMANDS["image"].options if option.name != "config"}
    assert checked(given(words, None)) == Options()


def test_the_timeout_in_the_document_is_the_one_in_use() -> None:
    assert f"else {transfer.SECONDS} and one more for each MiB" in " ".join(TEXT.split())
    assert transfer.BYTES == 1 << 20


@pytest.mark.parametrize("option", ["--cmd", "--user"])
def test_a_value_that_begins_with_a_dash_is_told_how_to_be_given(option: str) -> None:
    assert "`--cmd=--verbose`" in TEXT
    with pytest.raises(GeneratorError, match=f"^{option}: expected one argument; hint: {option}=--verbose$"):
        parser.main(["image", "hello.exe", option, "--verbose", "--to", "oci:out"])
    with pytest.raises(GeneratorError, match="expected one argument; hint: "):
        parser.main(["image", "hello.exe", "--to", "oci:out", option])
