# SPDX-License-Identifier: Apache-2.0
"""Parse sources, destinations, references and platforms of the command line."""

import contextlib
import re
from pathlib import Path

import pytest
from helpers.support import HANG
from hypothesis import given
from hypothesis import strategies as st

from generator.base.errors import GeneratorError
from generator.image import options, source_name
from generator.image.model import Source
from generator.imageread import references
from generator.imageread.references import Destination, Platform, Reference

D = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "path", "dest"),
    [
        ("hello.exe", "hello.exe", ""),
        (r"hello.exe:C:\app", "hello.exe", r"C:\app"),
        ("hello.exe:/app/", "hello.exe", "/app/"),
        ("aa:bb:cc:/app", "aa:bb:cc", "/app"),
        ("a:b", "a:b", ""),
        (r"x:C:\a:b", "x", r"C:\a:b"),
        (r"/srv/x:\app", "/srv/x", r"\app"),
        (r"c:/app", "c", "/app"),
    ],
)
def test_a_source_and_its_place_are_told_apart(text: str, path: str, dest: str) -> None:
    assert source_name.parse_source(text, windows=False) == (Source(Path(path), dest), None)


@pytest.mark.parametrize(
    ("text", "path", "dest"),
    [
        (r"C:\src\hello.exe", r"C:\src\hello.exe", ""),
        (r"C:\src:C:\app", r"C:\src", r"C:\app"),
        ("D:/src:/app", "D:/src", "/app"),
        (r"src:D:\app", "src", r"D:\app"),
    ],
)
def test_a_source_on_windows_begins_with_a_drive(text: str, path: str, dest: str) -> None:
    assert source_name.parse_source(text, windows=True) == (Source(Path(path), dest), None)


@pytest.mark.parametrize("text", ["", ":/app", "a\0b", "a" * 5000])
def test_what_is_no_source_is_refused(text: str) -> None:
    with pytest.raises(GeneratorError, match="invalid source"):
        source_name.parse_source(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("oci:out", Destination("oci", "out", "")),
        ("oci:out:hello:1", Destination("oci", "out", "hello:1")),
        ("oci:/a/b:localhost:5000/x/y:1", Destination("oci", "/a/b", "localhost:5000/x/y:1")),
        ("oci-archive:o.tar", Destination("oci-archive", "o.tar", "")),
        ("oci-archive:o.tar:v1.2-rc+3", Destination("oci-archive", "o.tar", "v1.2-rc+3")),
        ("docker-archive:d.tar:hello", Destination("docker-archive", "d.tar", "hello")),
        ("docker://localhost:5000/hello:1", Destination("docker", "", "localhost:5000/hello:1")),
        (f"docker://hello@{D}", Destination("docker", "", f"hello@{D}")),
    ],
)
def test_a_destination_is_read_as_other_tools_spell_it(text: str, wanted: Destination) -> None:
    assert references.destination(text, windows=False) == wanted
    assert str(wanted) == text


def test_a_destination_on_windows_may_have_a_drive() -> None:
    assert references.destination(r"oci:C:\out:x", windows=True) == Destination("oci", r"C:\out", "x")
    assert references.destination("oci-archive:d:/o.tar", windows=True) == Destination("oci-archive", "d:/o.tar", "")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "unknown transport"),
        ("out", "unknown transport"),
        ("dir:out", "unknown transport"),
        ("docker-daemon:x:1", "unknown transport"),
        ("OCI:out", "unknown transport"),
        ("docker:hello", "docker://REF"),
        ("docker://", "invalid reference"),
        ("docker://Hello", "invalid reference"),
        ("docker://hello:", "invalid reference"),
        ("docker://hello:a b", "invalid reference"),
        ("docker://hello@sha256:12", "invalid reference"),
        (f"docker://hello@{D.upper()}", "invalid reference"),
        ("docker://" + "a" * 300, "invalid reference"),
        ("docker://../x", "invalid reference"),
        ("oci:", "path is missing"),
        ("oci::x", "path is missing"),
        ("oci:out:-x", "reference"),
        ("oci:out:a b", "reference"),
        ("oci:out:" + "a" * 256, "reference"),
        (f"docker-archive:d.tar:x@{D}", "no digest"),
        ("docker-archive:d.tar:X", "invalid reference"),
        ("oci:a\0b", "unknown transport"),
        (f"oci:out@{D}", "a destination has no digest"),
    ],
)
def test_what_is_no_destination_is_refused_with_what_would_be_one(text: str, why: str) -> None:
    with pytest.raises(GeneratorError, match=why):
        references.destination(text)


@pytest.mark.parametrize(
    ("text", "wanted", "host", "full"),
    [
        ("hello", Reference("hello", ""), "", "docker.io/library/hello:latest"),
        ("me/hello:1", Reference("me/hello", "1"), "", "docker.io/me/hello:1"),
        ("localhost/x:1", Reference("localhost/x", "1"), "localhost", "localhost/x:1"),
        ("[::1]:5000/x", Reference("[::1]:5000/x", ""), "[::1]:5000", "[::1]:5000/x:latest"),
        ("ghcr.io/a/b__c/d-e.f:T_1", Reference("ghcr.io/a/b__c/d-e.f", "T_1"), "ghcr.io", "ghcr.io/a/b__c/d-e.f:T_1"),
        (f"x.y/z:1@{D}", Reference("x.y/z", "1", D), "x.y", "x.y/z:1"),
    ],
)
def test_a_reference_tells_its_host_and_its_full_name(text: str, wanted: Reference, host: str, full: str) -> None:
    found = references.reference(text, "here")
    assert (found, found.host, found.full) == (wanted, host, full)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("windows/amd64", Platform()),
        ("windows/arm64", Platform("arm64")),
        ("windows/amd64:10.0.20348", Platform("amd64", "10.0.20348")),
        ("windows/amd64:10.0.26100.1742", Platform("amd64", "10.0.26100.1742")),
        ("windows(10.0.20348)/amd64", Platform("amd64", "10.0.20348")),
        ("windows(10.0.17763.1+win32k)/arm64", Platform("arm64", "10.0.17763.1", ("win32k",))),
    ],
)
def test_a_platform_is_read_in_both_spellings(text: str, wanted: Platform) -> None:
    assert references.platform(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "", "windows", "linux/amd64", "windows/386", "windows/amd64:", "windows/amd64:10", "windows/amd64:10.0.x",
        "windows()/amd64", "windows(10.0.20348+)/amd64", "windows/amd64/v8", "windows/amd64:10.0.203480",
        "Windows/amd64", "windows/amd64:10.0.20348.1.2",
    ],
)  # fmt: skip
def test_what_is_no_platform_is_refused(text: str) -> None:
    with pytest.raises(GeneratorError, match=f"--platform {re.escape(text) or repr(text)}: "):
        references.platform(text)


PIECES = [*"aA0:/\\@.-_+() \0\ud800é", "sha256:", "oci:", "docker://", "docker-archive:", "windows/", "amd64", "C:"]
LONG = ["a" * 4000 + "!", "a-" * 2000 + "!", "a." * 2000 + "!", "A" * 4000 + "/", "a:" * 2000]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (source_name.parse_source, references.destination, references.platform, references.maybe_reference):
        with contextlib.suppress(GeneratorError):
            read(text)


@pytest.mark.timeout(HANG)
@pytest.mark.parametrize("text", LONG)
def test_a_long_name_is_refused_at_once(text: str) -> None:
    for prefix in ("docker://", "oci:x:", "docker-archive:x:"):
        with pytest.raises(GeneratorError):
            references.destination(prefix + text)


@pytest.mark.timeout(HANG)
@pytest.mark.parametrize("text", ["a." * 100_000 + "a = 1", "[" + "a." * 100_000 + "a]"])
def test_a_key_of_endless_parts_is_refused_at_once(text: str, tmp_path: Path) -> None:
    (tmp_path / "image.toml").write_text(text)
    with pytest.raises(GeneratorError, match=r"image\.toml: line 1: more than 64 words joined by dots"):
        options.read(tmp_path / "image.toml")
