# SPDX-License-Identifier: Apache-2.0
"""The program of an image: its stored form, warnings, and different programs by platform."""

import contextlib
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from helpers import image_runs
from helpers.image_checks import checked
from helpers.image_runs import digest_of, document
from helpers.programs import ARM64, pe

from generator.base.errors import GeneratorError
from generator.image import Options, SourceTable, make
from generator.image.model import Source
from generator.image.options import read
from generator.image.source_name import parse_source
from generator.imageread.references import Platform

MOUNT = "%CONTAINER_SANDBOX_MOUNT_POINT%"


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", image_runs.cache())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working directory with programs."""
    (tmp_path / "app").mkdir()
    for name, data in (
        ("app/run.exe", pe()),
        ("app/a.toml", b"a = 1"),
        ("app/script.ps1", b"exit"),
        ("hello.exe", pe()),
        ("arm.exe", pe(ARM64)),
        ("linux.exe", b"\x7fELF\2\1\1"),
        ("sh.exe", b"#!/bin/sh\n"),
        ("dos.exe", b"MZ"),
    ):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "app/link.exe").symlink_to("run.exe")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def image(**options: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the settings that an image is started by, and the lines that were printed."""
    said: list[str] = []
    given = {"source": ("hello.exe", "app:/app"), "to": ("oci:out",), **options}
    (reference,) = make(Options(**given), note=said.append).references
    manifest = document(Path("out"), digest_of(reference))
    return document(Path("out"), manifest["config"]["digest"])["config"], said


@pytest.mark.parametrize(
    "program",
    [
        "C:\\app\\run.exe",
        "/app/run.exe",
        "app/run.exe",
        "./app/run.exe",
        "app\\run.exe",
        "c:/APP/RUN",
        "C:\\hpc\\app\\run",
    ],
)
def test_a_program_of_the_image_is_stored_as_every_node_finds_it(program: str, folder: Path) -> None:
    config, said = image(entrypoint=(program, "C:\\x", "-v"))
    assert config["Entrypoint"] == [f"{MOUNT}\\app\\run.exe", "C:\\x", "-v"]
    assert said == [f"--entrypoint {program}: stored as {MOUNT}\\app\\run.exe; not every node finds the other spelling"]
    status, (found,) = checked("oci:out")
    assert (status, found["findings"]) == (0, []), folder


@pytest.mark.parametrize(
    "program",
    ["hello.exe", "HELLO", f"{MOUNT}\\app\\run.exe", "powershell.exe", "cmd", r"C:\Windows\System32\ping.exe"],
)
def test_a_program_that_every_node_finds_stays_as_it_is(program: str, folder: Path) -> None:
    config, said = image(entrypoint=(program,))
    assert (config["Entrypoint"], said) == ([program], []), folder


def test_the_hint_for_a_powershell_script_makes_an_image_without_findings(folder: Path) -> None:
    _, (said,) = image(entrypoint=("/app/script.ps1",))
    words = shlex.split(said.partition("; hint: ")[2].replace("--entrypoint=", "--entrypoint "))
    shutil.rmtree("out")
    config, then = image(entrypoint=tuple(words[1::2]))
    assert config["Entrypoint"] == ["powershell", "-File", f"{MOUNT}\\app\\script.ps1"]
    status, (found,) = checked("oci:out")
    assert (then, status, found["findings"]) == ([], 0, []), folder


def test_a_program_in_cmd_is_stored_likewise(folder: Path) -> None:
    config, said = image(cmd=("/app/run.exe", "-v"))
    assert config["Cmd"] == [f"{MOUNT}\\app\\run.exe", "-v"]
    assert len(said) == 1, folder


@pytest.mark.parametrize(
    ("workdir", "wanted", "program"),
    [
        ("/app", f"{MOUNT}\\app", "run.exe"),
        ("app", f"{MOUNT}\\app", "run.exe"),
        ("C:\\APP\\", f"{MOUNT}\\app", "run"),
        (f"{MOUNT}\\app", f"{MOUNT}\\app", "run.exe"),
        (f"{MOUNT}/app", f"{MOUNT}\\app", "run.exe"),
        ("/", MOUNT, "hello.exe"),
        ("C:\\Windows\\Temp", "C:\\Windows\\Temp", "hello.exe"),
    ],
)
def test_a_working_directory_of_the_image_is_stored_as_every_node_finds_it(
    workdir: str, wanted: str, program: str, folder: Path
) -> None:
    config, said = image(workdir=workdir, entrypoint=(program,))
    assert (config["WorkingDir"], config["Entrypoint"]) == (wanted, [program])
    assert len(said) == (not workdir.startswith((MOUNT, "C:\\W"))), said
    status, (found,) = checked("oci:out")
    assert (status, found["findings"]) == (0, []), folder


def test_a_relative_program_is_the_one_in_the_working_directory(folder: Path) -> None:
    config, said = image(workdir="/app", entrypoint=("./run.exe",))
    assert config["Entrypoint"] == [f"{MOUNT}\\app\\run.exe"]
    assert len(said) == 2, folder


@pytest.mark.parametrize(
    ("options", "status", "wanted"),
    [
        ({"entrypoint": ("run.exe",)}, 0, rf"warning: --entrypoint run.exe: .*'{MOUNT}\\app\\run.exe'"),
        (
            {"entrypoint": ("C:\\nosuch.exe",)},
            0,
            r"--entrypoint C:\\nosuch.exe: not in the image; each node must have it",
        ),
        ({"entrypoint": ("nosuch.exe",)}, 0, r"--entrypoint nosuch.exe: .* each node must have it in PATH"),
        ({"entrypoint": ("./nosuch.exe",)}, 1, r"warning: .*not found in the image"),
        ({"entrypoint": ("/bin/sh",)}, 1, r"warning: .*a path of Linux"),
        (
            {"entrypoint": ("/app/script.ps1",)},
            1,
            rf"warning: .*powershell --entrypoint=-File --entrypoint '{MOUNT}\\app\\script.ps1'$",
        ),
        ({"entrypoint": ('["hello.exe","-x"]',)}, 1, r"warning: .*JSON array in one word"),
        ({"entrypoint": ("hello.exe",), "cmd": ('["-x"]',)}, 0, r"warning: --cmd \[\"-x\"\]: a JSON array in one word"),
        ({"entrypoint": ("hello.exe -x",)}, 0, r"warning: .*: one word, so some nodes look for a program of"),
        ({"source": ("linux.exe",), "entrypoint": ("linux.exe",)}, 1, r"warning: .*an ELF file"),
        ({"source": ("sh.exe",), "entrypoint": ("sh.exe",)}, 1, r"warning: .*begins with #!"),
        ({"source": ("dos.exe",), "entrypoint": ("dos.exe",)}, 0, r"warning: .*no PE header"),
        ({"source": ("arm.exe",), "entrypoint": ("arm.exe",)}, 0, r"warning: .*for arm64, in an image for amd64"),
        ({"entrypoint": ("hello.exe", "a&b")}, 0, r"warning: --entrypoint a&b: cmd interprets &"),
        ({"entrypoint": ("hello.exe", r"C:\app\a.toml")}, 0, rf"warning: .*give {MOUNT}\\app\\a.toml"),
        ({"env": {"CONF": "/app/a.toml"}}, 0, rf"warning: --env CONF: .*give {MOUNT}\\app\\a.toml"),
        ({"env": {"PATH": r"%PATH%;C:\Windows"}}, 0, r"warning: --env PATH: %PATH% is not expanded"),
        ({"user": "ContainerUser"}, 0, r"warning: --user ContainerUser"),
        ({"workdir": r"C:\data"}, 0, r"warning: --workdir C:\\data: a directory of the node"),
        ({"layer": "scratch", "entrypoint": ("hello.exe",)}, 0, r"warning: .*--layer hostprocess"),
    ],
)
def test_a_program_that_may_not_start_is_one_line_and_check_image_agrees(
    options: dict[str, Any], status: int, wanted: str, folder: Path
) -> None:
    _, said = image(**options)
    assert len(said) == 1, said
    assert re.match(wanted, said[0]), said
    found, (each,) = checked("oci:out")
    assert found == status, folder
    assert bool(each["findings"]) == said[0].startswith("warning: ")


@pytest.mark.parametrize(
    "options",
    [
        {"shell": ('["powershell", "-Command"]',)},
        {"shell": ('["powershell", "-Command"]',), "layer": "scratch"},
        {"shell": ('["powershell", "-Command"]',), "platform": ("windows/amd64", "windows/arm64")},
    ],
)
def test_a_shell_as_a_json_array_in_one_word_is_one_line(options: dict[str, Any], folder: Path) -> None:
    said: list[str] = []
    make(Options(source=("app",), to=("oci:out",), **options), note=said.append)
    wanted = 'warning: --shell ["powershell", "-Command"]: a JSON array in one word; hint: --shell once for each word'
    assert said == [wanted], folder


def test_the_hint_for_a_base_without_windows_is_another_base(folder: Path) -> None:
    make(Options(source=("hello.exe",), layer="scratch", to=("oci:base",)), note=lambda _: None)
    _, said = image(base="oci:base", entrypoint=("hello.exe",))
    assert len(said) == 1, folder
    assert said[0].endswith("no program starts; hint: give --base an image with Windows, or one for HostProcess")


def test_a_link_to_a_program_is_a_program_of_unknown_content(folder: Path) -> None:
    config, said = image(entrypoint=("/app/link.exe",))
    assert config["Entrypoint"] == [f"{MOUNT}\\app\\link.exe"]
    assert len(said) == 1, folder


def test_more_layers_than_docker_takes_are_warned_of(folder: Path) -> None:
    for one_layer in (False, True):
        said: list[str] = []
        with contextlib.suppress(GeneratorError):  # of the second, that both are called the same
            make(Options(source=("hello.exe",) * 125, one_layer=one_layer, to=("oci:out",)), note=said.append)
        wanted = ["warning: image: 126 layers, and Docker takes at most 125; hint: --one-layer"] * (not one_layer)
        assert said == wanted, folder


# ---------------------------------------------------------------------------------------------
# Sources for one platform


@pytest.mark.parametrize(
    ("text", "path", "dest", "platform"),
    [
        ("a.exe@windows/arm64", "a.exe", "", Platform("arm64")),
        ("a.exe:/app/@windows/amd64:10.0.20348", "a.exe", "/app/", Platform("amd64", "10.0.20348")),
        (r"a:C:\x@windows(10.0.20348+win32k)/amd64", "a", r"C:\x", Platform("amd64", "10.0.20348", ("win32k",))),
        ("a@windows/arm64:/", "a@windows/arm64", "/", None),
        ("me@example", "me@example", "", None),
        ("a@linux/amd64", "a@linux/amd64", "", None),
        ("a@windows", "a@windows", "", None),
    ],
)
def test_a_source_may_have_a_platform(text: str, path: str, dest: str, platform: Platform | None) -> None:
    assert parse_source(text, windows=False) == (Source(Path(path), dest), platform)


def test_one_command_makes_an_index_of_different_programs(folder: Path) -> None:
    said: list[str] = []
    source = ("app:/app", r"hello.exe:C:\run.exe@windows/amd64", r"arm.exe:C:\run.exe@windows/arm64")
    options = Options(source=source, entrypoint=("/run.exe",), to=("oci:out:v1",))
    made = make(options, note=said.append)
    assert said == [f"--entrypoint /run.exe: stored as {MOUNT}\\run.exe; not every node finds the other spelling"]
    index = document(Path("out"), made.digest)
    assert [each["platform"]["architecture"] for each in index["manifests"]] == ["amd64", "arm64"]
    amd64, arm64 = [document(Path("out"), each["digest"]) for each in index["manifests"]]
    assert amd64["layers"][:2] == arm64["layers"][:2]  # the base and app
    assert amd64["layers"][2] != arm64["layers"][2]
    status, found = checked("oci:out:v1")
    assert (status, [each["findings"] for each in found]) == (0, [[], []])
    tables = tuple(
        SourceTable(path=name, to=r"C:\run.exe", platform=f"windows/{machine}")
        for name, machine in (("hello.exe", "amd64"), ("arm.exe", "arm64"))
    )
    again = Options(source=("app:/app", *tables), entrypoint=("/run.exe",), to=("oci:out:v2",))
    assert make(again, note=said.append).digest == made.digest
    exchanged = make(
        Options(
            source=(r"hello.exe:C:\run.exe@windows/arm64", r"arm.exe:C:\run.exe@windows/amd64"),
            entrypoint=("run.exe",),
            to=("oci:out:v3",),
        ),
        note=said.append,
    )
    assert len([line for line in said if "in an image for" in line]) == 2
    assert exchanged.digest != made.digest, folder


def test_a_source_for_an_architecture_goes_into_every_version_of_it(folder: Path) -> None:
    (reference,) = make(
        Options(
            source=("hello.exe@windows/amd64", "arm.exe:/hello.exe@windows/arm64"),
            platform=("windows/amd64:10.0.20348", "windows/amd64", "windows/arm64"),
            to=("oci:out",),
        )
    ).references
    manifests = document(Path("out"), digest_of(reference))["manifests"]
    layers = [document(Path("out"), each["digest"])["layers"][1]["digest"] for each in manifests]
    assert layers[0] == layers[1] != layers[2], folder


def test_a_file_of_options_may_have_tables_of_sources(tmp_path: Path) -> None:
    path = tmp_path / "image.toml"
    path.write_text('[[source]]\npath = "a.exe"\nto = "/run.exe"\nplatform = "windows/arm64"\n[[source]]\npath = "b"\n')
    tables = (SourceTable(path="a.exe", to="/run.exe", platform="windows/arm64"), SourceTable(path="b"))
    assert read(path).source == tables
    path.write_text('[[source]]\npath = "a"\ndest = "/"\n')
    with pytest.raises(GeneratorError, match="dest"):
        read(path)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"source": ("hello.exe@windows/arm64",), "platform": ("windows/amd64",)}, "a source is for this platform"),
        ({"source": ("hello.exe@windows/x86",)}, "--platform windows/x86"),
        ({"source": (SourceTable(path="hello.exe", to="run.exe"),)}, "must begin with"),
        ({"source": (SourceTable(path=""),)}, "invalid path"),
        ({"source": (SourceTable(path="hello.exe", platform="linux/amd64"),)}, "--platform linux/amd64"),
        (
            {"source": ("hello.exe@windows/amd64", "arm.exe@windows/arm64"), "to": ("docker-archive:x.tar",)},
            "Docker's archive holds one platform",
        ),
    ],
)
def test_a_platform_that_is_not_the_images_is_refused(options: dict[str, Any], why: str, folder: Path) -> None:
    with pytest.raises(GeneratorError, match=why):
        make(Options(**{"to": ("oci:out",), **options}))
    assert not (folder / "out").exists()
