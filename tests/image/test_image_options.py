# SPDX-License-Identifier: Apache-2.0
"""Options of an image from a file of TOML and from the command line."""

from pathlib import Path
from typing import Any

import pytest

from generator.base.errors import GeneratorError
from generator.image import Options
from generator.image.options import checked, given, read

FILE = r"""
source = ["hello.exe", 'conf:C:\conf']
to = ["oci:out:hello"]
base = "oci:base"
layer = "scratch"
one-layer = true
exclude = ["*.pdb"]
security = "admin-owned"
times = "keep"
compression = "best"
platform = ["windows/amd64", "windows/arm64"]
entrypoint = ["hello.exe"]
cmd = ["-v"]
user = "ContainerUser"
workdir = 'C:\app'
expose = ["80"]
volume = ['C:\data']
stop-signal = "SIGTERM"
healthcheck = "CMD check.exe"
shell = ["powershell"]
plain-http = ["registry.lab:5000"]
force = true

[env]
A = "1"
B = "2"

[label]
maintainer = "me"

[link]
'C:\app\data' = "directory"

[annotation]
"org.opencontainers.image.title" = "Hello"
"""


def test_the_config_file_takes_every_option(tmp_path: Path) -> None:
    path = tmp_path / "image.toml"
    path.write_text(FILE)
    found = read(path)
    fields = Options.__struct_fields__
    assert [name for name in fields if getattr(found, name) == getattr(Options(), name)] == []


def test_the_command_line_overrides_the_file_and_adds_to_its_maps(tmp_path: Path) -> None:
    path = tmp_path / "image.toml"
    path.write_text(FILE)
    words = {"source": ["other"], "env": ["B=3", "C=x=y"], "layer": "legacy", "cmd": [], "user": None, "force": False}
    found = given(words, path)
    assert (found.source, found.layer, found.cmd, found.user) == (("other",), "legacy", ("-v",), "ContainerUser")
    assert found.env == {"A": "1", "B": "3", "C": "x=y"}
    assert found.force


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("layr = 1", "layr"),
        ("layer = 1", "layer: Expected"),
        ("env = ['A=1']", "env: Expected"),
        ("times = 'never'", "times: invalid value 'never'; hint: one of fixed, keep"),
        (
            "[[source]]\npat = 'x'",
            r"source\[0\]: .*`pat`; hint: the keys of a source are path, to, platform, security, ",
        ),
        ("[[source]]\nto = 'x'", r"source\[0\]: .*`path`; hint: the keys of a source are path, to, "),
        ("[[source]]\npath = 'x'\ntimes = 'x'", r"source\[0\].times: invalid value 'x'; hint: fixed or keep"),
        ("[[source]]\npath = 'x'\nattributes = ['x']", r"attributes\[0\]: invalid value 'x'; hint: archive, hidden, "),
        ("expose = [80]", r"expose\[0\]: Expected"),
        ("layer", "Expected"),
        ("x = " + "[" * 5000, "image.toml"),
        ("\udcff", "image.toml"),
    ],
)
def test_an_invalid_config_file_is_named_with_the_key(text: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "image.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(GeneratorError, match=why) as error:
        read(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"env": ["A"]}, "--env A: no NAME=VALUE; hint: --env NAME=VALUE"),
        ({"label": ["=x"]}, "--label"),
        ({"times": "never"}, "times: invalid value 'never'; hint: one of fixed, keep"),
        ({"compression": "most"}, "compression: invalid value 'most'; hint: one of fast, default, best, none"),
        ({"owner": ["user-owned"], "security": ["none"]}, "--security: given twice"),
        ({"security": ["none", "none"]}, "--security: given twice"),
    ],
)
def test_invalid_options_of_the_command_line_are_named(words: dict[str, Any], why: str) -> None:
    with pytest.raises(GeneratorError, match=why):
        checked(given(words, None))


def test_owner_is_an_alias_of_security() -> None:
    assert given({"owner": ["user-owned"]}, None).security == "user-owned"
