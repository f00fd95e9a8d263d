# SPDX-License-Identifier: Apache-2.0
"""The configuration, manifest and index of an image by its options."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from helpers import image_runs
from helpers.image_runs import digest_of, document, named

from generator.base.errors import GeneratorError
from generator.image import Options, make

AMD64, SERVER = "windows/amd64", "windows(10.0.20348+win32k)/amd64"


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", image_runs.cache())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return image_runs.sources(tmp_path / "sources")


def image(folder: Path, layout: Path, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make an image into a layout and return its manifest and its configuration."""
    (reference,) = image_runs.made(folder, f"oci:{layout}", **options)
    manifest = document(layout, digest_of(reference))
    return manifest, document(layout, manifest["config"]["digest"])


def test_every_option_is_in_the_configuration(folder: Path, tmp_path: Path) -> None:
    _, config = image(
        folder,
        tmp_path / "out",
        entrypoint=("hello.exe", "-v"),
        cmd=("a b", ""),
        env={"PATH": r"C:\Windows", "EMPTY": ""},
        label={"b": "2", "a": "=1"},
        user=r"NT AUTHORITY\SYSTEM",
        workdir="/app/sub",
        expose=("10090", "53/udp", "080/tcp"),
    )
    assert config["config"] == {
        "User": r"NT AUTHORITY\SYSTEM",
        "ExposedPorts": {"10090/tcp": {}, "53/udp": {}, "80/tcp": {}},
        "Env": [r"PATH=C:\Windows", "EMPTY="],
        "Entrypoint": ["hello.exe", "-v"],
        "Cmd": ["a b", ""],
        "WorkingDir": r"C:\app\sub",
        "Labels": {"b": "2", "a": "=1"},
    }
    assert (config["os"], config["architecture"], config["created"]) == ("windows", "amd64", "1980-01-02T00:00:00Z")
    assert "os.version" not in config  # so every host takes it


@pytest.mark.parametrize(
    ("given", "wanted"),
    [("app", r"C:\app"), (r"c:\x", r"C:\x"), ("C:/a/b/", r"C:\a\b"), ("/", "C:\\"), ("C:", "C:\\")],
)
def test_workdir_becomes_a_windows_path(given: str, wanted: str, tmp_path: Path) -> None:
    _, config = image(tmp_path, tmp_path / "out", source=(), workdir=given)
    assert config["config"]["WorkingDir"] == wanted


def test_history_and_diff_ids_match_the_layers(folder: Path, tmp_path: Path) -> None:
    manifest, config = image(folder, tmp_path / "out")
    assert [each["created_by"] for each in config["history"]] == [
        "winscratch image --layer hostprocess",
        "winscratch image: files to C:\\",
        "winscratch image: files to C:\\conf",
    ]
    assert {each["created"] for each in config["history"]} == {config["created"]}
    data = [image_runs.blob(tmp_path / "out", each["digest"]) for each in manifest["layers"]]
    assert [image_runs.sha256(gzip.decompress(each)) for each in data] == config["rootfs"]["diff_ids"]
    assert [len(each) for each in data] == [each["size"] for each in manifest["layers"]]


def test_the_base_digest_annotation_is_that_of_the_base_image(folder: Path, tmp_path: Path) -> None:
    base, _ = image(folder, tmp_path / "base", source=(), entrypoint=())
    manifest, _ = image(folder, tmp_path / "out", annotation={"a": "b"}, platform=("windows/amd64:10.0.20348",))
    assert manifest["annotations"] == {
        "org.opencontainers.image.title": "hello.exe",
        "org.opencontainers.image.base.digest": named(tmp_path / "base")[""]["digest"],
        "a": "b",
    }
    assert manifest["layers"][0] == base["layers"][0]
    assert base["annotations"] == {"org.opencontainers.image.title": "winscratch hostprocess"}


def test_several_platforms_make_an_index_and_share_their_layers(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (reference,) = image_runs.made(folder, f"oci:{out}", platform=(AMD64, SERVER, "windows/arm64"))
    index = document(out, digest_of(reference))
    assert [each["platform"] for each in index["manifests"]] == [
        {"architecture": "amd64", "os": "windows"},
        {"architecture": "amd64", "os": "windows", "os.version": "10.0.20348", "os.features": ["win32k"]},
        {"architecture": "arm64", "os": "windows"},
    ]
    manifests = [document(out, each["digest"]) for each in index["manifests"]]
    assert len({json.dumps(each["layers"]) for each in manifests}) == 1
    configs = [document(out, each["config"]["digest"]) for each in manifests]
    assert [each.get("os.version") for each in configs] == [None, "10.0.20348", None]
    assert [each["architecture"] for each in configs] == ["amd64", "amd64", "arm64"]
    assert index["annotations"] == {"org.opencontainers.image.title": "hello.exe"}


def test_another_architecture_changes_the_configuration_alone(folder: Path, tmp_path: Path) -> None:
    manifest, config = image(folder, tmp_path / "out")
    other, other_config = image(folder, tmp_path / "other", platform=("windows/arm64",))
    assert other["layers"] == manifest["layers"]
    assert other_config == config | {"architecture": "arm64"}


def test_source_date_epoch_sets_all_times(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    _, config = image(folder, tmp_path / "out")
    assert config["created"] == "2023-11-14T22:13:20Z"
    assert {each["created"] for each in config["history"]} == {config["created"]}


@pytest.mark.parametrize("text", ["x", "-1", "1.5", "9223372037", "1" * 5000, "\u0661"])
def test_an_invalid_source_date_epoch_is_refused(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", text)
    with pytest.raises(GeneratorError, match="SOURCE_DATE_EPOCH"):
        image(tmp_path, tmp_path / "out", source=())
    assert not (tmp_path / "out").exists()


def test_the_image_does_not_depend_on_the_working_directory(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,) = image_runs.made(folder, f"oci:{tmp_path / 'out'}")
    monkeypatch.chdir(image_runs.sources(tmp_path / "elsewhere"))
    (second,) = image_runs.made(Path(), "oci:../other:x")
    assert digest_of(first) == digest_of(second)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"to": ()}, "--to"),
        ({"layer": "nanoserver"}, "nanoserver: unknown layer; hint: use one of hostprocess, legacy, scratch"),
        ({"platform": (AMD64, AMD64)}, "twice"),
        ({"platform": ("linux/amd64",)}, "--platform"),
        ({"expose": ("0",)}, "--expose 0"),
        ({"expose": ("65536/tcp",)}, "--expose"),
        ({"expose": ("80/icmp",)}, "--expose"),
        ({"env": {"": "x"}}, "--env"),
        ({"env": {"A=B": "x"}}, "--env"),
        ({"env": {"Path": "x", "PATH": "y"}}, "on Windows the same variable as Path"),
        ({"label": {"": "x"}}, "--label"),
        ({"annotation": {"": "x"}}, "--annotation"),
        ({"workdir": "a:b"}, "--workdir"),
        ({"workdir": "D:/x"}, "--workdir D:/x: an image has only the drive C:"),
        ({"workdir": "C:x"}, "--workdir C:x: no \\ after the drive"),
        ({"workdir": "/app/../.."}, "--workdir /app/../..: the path has .."),
        ({"workdir": "/con"}, "--workdir /con: a part of the path is a device name"),
        ({"to": ("oci:d:1", "oci:./d:1")}, "--to oci:./d:1: the same place as --to oci:d:1"),
        ({"to": ("oci:d", "oci-archive:a", "docker-archive:./a:x")}, "the same place as --to oci-archive:a"),
        ({"to": ("oci:d", "docker://x", "docker://docker.io/library/x:latest")}, "the same place as --to docker://x"),
        ({"user": "\udcff"}, "invalid Unicode"),
        ({"source": ("missing",)}, "missing"),
        ({"security": "nobody"}, "--security nobody"),
        ({"source": (r"hello.exe:D:\x",)}, "D:"),
        ({"source": ("hello.exe:/con.txt",)}, "device"),
        ({"to": ("oci:" + "a" * 300,)}, "File name too long"),
        ({"to": ("oci:\ud800",)}, "unknown transport"),
        ({"source": ("\ud800",)}, "invalid source"),
        ({"source": (".",), "to": ("oci:conf/out",)}, "conf/out: inside the source ."),
        ({"source": (".",), "to": ("oci-archive:o.tar",)}, "inside the source ."),
    ],
)
def test_invalid_input_is_an_error_of_one_line_and_writes_nothing(
    options: dict[str, Any], why: str, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(folder)
    before = image_runs.tree(folder.parent)
    with pytest.raises(GeneratorError, match=why.replace("\\", r"\\")) as error:
        make(Options(**{"source": ("hello.exe",), "to": (f"oci:{tmp_path}/new/out",), **options}), note=lambda _: None)
    assert "\n" not in str(error.value)
    assert image_runs.tree(folder.parent) == before
    assert not (tmp_path / "new").exists()


def test_a_source_may_be_a_path(folder: Path, tmp_path: Path) -> None:
    path = folder / "hello.exe"
    given: tuple[tuple[str | Path, ...], ...] = ((path,), (str(path),))
    made = [make(Options(source=each, to=(f"oci:{tmp_path}/{at}",))).digest for at, each in enumerate(given)]
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"source": "hello.exe"}, "source: Expected `array`, got `str`"),
        ({"source": (b"x",)}, r"source\[0\]: Expected .*, got `bytes`"),
        ({"env": {"A": 1}}, r"env.*: Expected `str`, got `int`"),
        ({"expose": (80,)}, r"expose\[0\]: Expected `str`, got `int`"),
        ({"to": (Path(),)}, r"to\[0\]: Expected `str`"),
        ({"user": object()}, "user: Expected `str`"),
        ({"times": "x"}, "times: invalid value 'x'; hint: one of fixed, keep"),
    ],
)
def test_options_of_another_type_are_refused(options: dict[str, Any], why: str, tmp_path: Path) -> None:
    with pytest.raises(GeneratorError, match=f"^image: {why}"):
        make(Options(**{"to": (f"oci:{tmp_path}/out",), **options}), note=lambda _: None)
    assert list(tmp_path.iterdir()) == []
