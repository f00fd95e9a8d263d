# SPDX-License-Identifier: Apache-2.0
"""What is written on the command line: sources, destinations, references and platforms."""

import contextlib
from pathlib import Path

import pytest
from helpers.support import HANG
from hypothesis import given
from hypothesis import strategies as st

from generator.base.errors import GeneratorError
from generator.image import options, source_name
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
def test_a_source_is_split_into_src_and_dest(text: str, path: str, dest: str) -> None:
    assert source_name.source(text, windows=False) == (Path(path), dest)


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
    assert source_name.source(text, windows=True) == (Path(path), dest)


@pytest.mark.parametrize("text", ["", ":/app", "a\0b", "a" * 5000])
def test_an_invalid_source_is_refused(text: str) -> None:
    with pytest.raises(GeneratorError, match="no source"):
        source_name.source(text)


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
        ("", "no such transport"),
        ("out", "no such transport"),
        ("dir:out", "no such transport"),
        ("docker-daemon:x:1", "no such transport"),
        ("OCI:out", "no such transport"),
        ("docker:hello", "docker://REF"),
        ("docker://", "reference is none"),
        ("docker://Hello", "reference is none"),
        ("docker://hello:", "reference is none"),
        ("docker://hello:a b", "reference is none"),
        ("docker://hello@sha256:12", "reference is none"),
        (f"docker://hello@{D.upper()}", "reference is none"),
        ("docker://" + "a" * 300, "reference is none"),
        ("docker://../x", "reference is none"),
        ("oci:", "no path"),
        ("oci::x", "no path"),
        ("oci:out:-x", "reference"),
        ("oci:out:a b", "reference"),
        ("oci:out:" + "a" * 256, "reference"),
        (f"docker-archive:d.tar:x@{D}", "no digest"),
        ("docker-archive:d.tar:X", "reference is none"),
        ("oci:a\0b", "no such transport"),
        (f"oci:out@{D}", "a digest is what comes of an image"),
    ],
)
def test_an_invalid_destination_is_refused_with_a_hint(text: str, why: str) -> None:
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
def test_a_reference_has_a_host_and_a_full_name(text: str, wanted: Reference, host: str, full: str) -> None:
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
def test_an_invalid_platform_is_refused(text: str) -> None:
    with pytest.raises(GeneratorError, match="--platform"):
        references.platform(text)


PIECES = [*"aA0:/\\@.-_+() \0\ud800é", "sha256:", "oci:", "docker://", "docker-archive:", "windows/", "amd64", "C:"]
LONG = ["a" * 4000 + "!", "a-" * 2000 + "!", "a." * 2000 + "!", "A" * 4000 + "/", "a:" * 2000]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (source_name.source, references.destination, references.platform, references.maybe_reference):
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
    with pytest.raises(GeneratorError, match=r"image\.toml: line 1: a key of more than 100 parts"):
        options.read(tmp_path / "image.toml")
