# SPDX-License-Identifier: Apache-2.0
"""check-image: how an image is started, by the base layer that is found."""

import re
import tarfile
from pathlib import Path
from typing import Any, get_args

import pytest
from helpers.image_checks import checked, found
from helpers.layouts import BCD, RECORDS, ROOTS, Layout, Part, base, directory, parts_of, tarred
from helpers.programs import pe
from helpers.rule_starts import APP, MOUNT, NO_WINDOWS, WRONG
from helpers.support import HANG

from generator.runtime.model import Rule


def rules(folder: Path, layers: list[bytes], **settings: Any) -> set[str]:
    """Return the rules that an image breaks; *settings* are the fields of its configuration."""
    layout = Layout(folder, layers)
    layout.config["config"] = settings
    return set(found(layout))


def windows() -> bytes:
    """Return a base layer with the beginnings of a Windows."""
    parts = parts_of(base())
    kernel = [Part("Files/Windows/System32/ntdll.dll", pe(), records={})]
    return tarred([*parts, *kernel])


def microsofts() -> bytes:
    """Return a base layer as Microsoft's HostProcess base is: five hives, and no BCD store."""
    return tarred([part for part in parts_of(base()) if not part.name.startswith(BCD.partition("/")[0])])


def test_every_rule_of_starting_is_broken_here() -> None:
    assert {rule for rule, _ in WRONG} | {NO_WINDOWS} == {*get_args(Rule)} - {"program-node"}


@pytest.mark.parametrize(("rule", "settings"), WRONG)
@pytest.mark.parametrize("lowest", [lambda: base("hostprocess"), microsofts], ids=["ours", "Microsoft's"])
def test_a_hostprocess_image_that_does_not_start_as_meant(
    rule: str, settings: dict[str, Any], lowest: Any, tmp_path: Path
) -> None:
    assert rule in rules(tmp_path, [lowest(), tarred(APP)], **settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"Entrypoint": [f"{MOUNT}\\app\\run.exe", "-v"]},
        {"Entrypoint": ["run.exe"], "Env": [f"PATH={MOUNT};C:\\Windows\\System32"], "User": "NT AUTHORITY\\SYSTEM"},
        {"Entrypoint": [f"{MOUNT}\\app\\old.exe"]},
        {"Entrypoint": ["powershell.exe", "-Command", "exit"]},
        {"Entrypoint": ["C:\\tools\\of-the-node.exe"]},
        {"Cmd": ["run"], "WorkingDir": f"{MOUNT}\\app"},
        {},
    ],
)
def test_a_hostprocess_image_that_starts_is_good(settings: dict[str, Any], tmp_path: Path) -> None:
    assert rules(tmp_path, [base("hostprocess"), tarred(APP)], **settings) == set()


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"Entrypoint": ["C:\\app\\run.exe"], "User": "ContainerUser", "WorkingDir": "C:\\app"}, set()),
        ({"Entrypoint": ["run.exe"], "Env": ["PATH=C:\\Windows;C:\\app"]}, set()),
        ({"Entrypoint": ["nosuch.exe"]}, set()),  # PATH is in the registry
        ({"Entrypoint": ["C:\\nosuch.exe"]}, {"program"}),
        ({"Entrypoint": ["C:\\app\\linux.exe"]}, {"program-kind"}),
        ({"Entrypoint": ["C:\\app\\old.exe"]}, {"program-machine"}),  # without WOW64
        ({"Env": ["PATH=/usr/bin"]}, {"env-path"}),
        ({"Entrypoint": ["C:\\app\\run.exe"], "User": "1001:1001"}, {"user"}),
    ],
)
def test_an_image_on_a_windows(settings: dict[str, Any], wanted: set[str], tmp_path: Path) -> None:
    # The parent directory of ntdll.dll is missing in this small Windows, which is another rule.
    assert rules(tmp_path, [windows(), tarred(APP)], **settings) - {"parent"} == wanted


def test_nothing_is_missing_in_a_windows_whose_layers_are_elsewhere(tmp_path: Path) -> None:
    for program, wanted in (("C:\\nosuch.exe", set()), ("C:\\app\\linux.exe", {"program-kind"})):
        layout = Layout(tmp_path / f"{len(wanted)}", [windows(), tarred(APP)])
        foreign = layout.manifest["layers"][0]
        foreign["mediaType"] = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
        layout.config["config"] = {"Entrypoint": [program]}
        name = layout.write()
        (layout.folder / "blobs/sha256" / foreign["digest"].partition(":")[2]).unlink()
        _, (image,) = checked(name)
        assert {each["rule"] for each in image["findings"] if each["rule"].startswith("program")} == wanted


def test_no_program_starts_on_a_base_without_windows(tmp_path: Path) -> None:
    assert rules(tmp_path, [base("scratch"), tarred(APP)], Entrypoint=["run.exe"]) == {NO_WINDOWS}


@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        ([Part("Files/app/.wh.run.exe", records={})], {"program"}),
        ([Part("Files/.wh.app", records={})], {"program"}),
        ([Part("Files/app/run.exe", b"#!/bin/sh")], {"program-kind"}),
        ([Part("Files/APP/RUN.EXE", pe())], set()),
        ([Part("Files/app/other.exe", b"\x7fELF")], set()),
        ([Part("Files/app/run.exe", kind=tarfile.SYMTYPE, target="other.exe")], set()),
    ],
)
def test_a_layer_above_changes_the_program(parts: list[Part], wanted: set[str], tmp_path: Path) -> None:
    parents = [directory(parts[0].name.rpartition("/")[0], **RECORDS)] if parts[0].name.count("/") > 1 else []
    top = tarred([*ROOTS, *parents, *parts])
    broken = rules(tmp_path, [base("hostprocess"), tarred(APP), top], Entrypoint=[f"{MOUNT}\\app\\run.exe"])
    assert {rule for rule in broken if rule.startswith("program")} == wanted


def test_a_finding_names_the_field_and_its_value(tmp_path: Path) -> None:
    layout = Layout(tmp_path, [base("hostprocess"), tarred(APP)])
    layout.config["config"] = {"Entrypoint": ["C:\\app\\run.exe"]}
    status, (image,) = checked(layout.write())
    finding, *more = image["findings"]
    assert (status, more, finding["rule"], finding["level"]) == (1, [], "program", "refused")
    assert re.search(r": config$", finding["where"])
    assert finding["found"] == "Entrypoint C:\\app\\run.exe: the node's own path on HostProcess"


@pytest.mark.timeout(HANG)
def test_settings_of_any_size_are_checked_at_once(tmp_path: Path) -> None:
    deep = "a/" * 300_000 + "run.exe"
    broken = rules(
        tmp_path,
        [base("hostprocess"), tarred(APP)],
        Entrypoint=[f"{MOUNT}/{deep}", *["/app/run.exe"] * 10_000],
        Env=[f"A={deep}", *["B=/app/run.exe;/app;"] * 10_000],
        WorkingDir=deep,
    )
    assert "program" in broken
