# SPDX-License-Identifier: Apache-2.0
"""Platforms are parsed, compared and spelled as containerd does."""

import itertools
import json
from pathlib import Path

import msgspec
import pytest
from helpers.image_runs import go_tool, run

from generator.base.errors import GeneratorError
from generator.imageread.documents import ImagePlatform
from generator.imageread.platforms import normal, parse, spelled

SYSTEMS = ("windows", "Windows", "linux", "LINUX", "macOS", "darwin", "freebsd")
ARCHITECTURES = (
    *("amd64", "AMD64", "x86_64", "x86-64", "i386", "386", "arm64", "aarch64", "Aarch64"),
    *("arm", "armhf", "armel", "riscv64", "ppc64le"),
)
VARIANTS = ("", "v1", "V1", "v2", "v5", "5", "6", "7", "8", "v6", "v7", "v8", "v8.0", "9", "9.0", "v9.0", "v9", "v9.1")
VERSIONS = (
    ("", ()),
    ("10.0.20348", ()),
    ("10.0.20348.2113", ("win32k",)),
    ("", ("b", "a", "b")),
)


def test_platforms_are_normalized_and_spelled_as_containerd_does(tmp_path: Path) -> None:
    made = [
        ImagePlatform(architecture, system, version or None, features, variant)
        for system, architecture, variant, (version, features) in itertools.product(
            SYSTEMS, ARCHITECTURES, VARIANTS, VERSIONS
        )
    ]
    index = {"manifests": [{"platform": json.loads(msgspec.json.encode(each))} for each in made]}
    (tmp_path / "index.json").write_text(json.dumps(index))
    theirs = run(go_tool("./choose"), tmp_path / "index.json").stdout.splitlines()
    assert [spelled(normal(each)) for each in made] == theirs
    assert len({*theirs}) < len(made) / 3


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("linux/amd64", ImagePlatform("amd64", "linux")),
        ("linux/arm/v7", ImagePlatform("arm", "linux", None, (), "v7")),
        ("windows/amd64:10.0.20348.2113", ImagePlatform("amd64", "windows", "10.0.20348.2113")),
        ("windows(10.0.20348+win32k)/amd64", ImagePlatform("amd64", "windows", "10.0.20348", ("win32k",))),
        ("windows(+win32k)/amd64", ImagePlatform("amd64", "windows", None, ("win32k",))),
    ],
)
def test_both_spellings_are_parsed(text: str, platform: ImagePlatform) -> None:
    assert parse(text, "x") == platform
    assert parse(spelled(platform), "x") == platform


BAD = ("", "windows", "windows/", "/amd64", "a/b/c/d", "windows(/amd64", "linux/a b", "a/b\n")


@pytest.mark.parametrize("text", BAD)
def test_other_text_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(GeneratorError, match=r"^x: invalid platform .*; hint: OS/ARCH") as error:
        parse(text, "x")
    assert "\n" not in str(error.value)
