# SPDX-License-Identifier: Apache-2.0
"""The rules of starting: where each kind of node finds a program, and which settings are not read as intended."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from helpers.programs import AMD64, ARM64, I386, pe

from generator.runtime import paths, settings, start
from generator.runtime.model import Base, File, Settings
from generator.runtime.programs import HEAD, Program, identify

MOUNT = paths.MOUNT
BOUND, FIRST, PLAIN = start.NODES


class Files:
    """Files of an image, by their paths."""

    def __init__(self, files: Mapping[str, bytes], complete: bool = True) -> None:
        self.complete = complete
        self._files = {path.upper(): (path, identify(data)) for path, data in files.items()}
        parents = {str(parent): str(parent) for path in files for parent in Path(path).parents}
        self._directories = {path.upper(): path for path in parents}

    def file(self, path: str) -> File | None:
        found = self._files.get(path.upper())
        return File(*found) if found else None

    def directory(self, path: str) -> str | None:
        return self._directories.get(path.upper())

    def named(self, name: str) -> str | None:
        return next((path for path, _ in self._files.values() if path.upper().split("/")[-1] == name.upper()), None)


IMAGE = Files(
    {
        "run.exe": pe(),
        "app/run.exe": pe(),
        "app/agent.exe": pe(),
        "app/task.cmd": b"@echo off",
        "app/my app.exe": pe(),
        "app/linux.exe": b"\x7fELF\2",
        "app/script": b"#!/bin/sh",
        "app/mac.exe": b"\xcf\xfa\xed\xfe",
        "app/library.dll": pe()[:0x96] + b"\2\x20",
        "app/dos.exe": b"MZ",
        "app/text.exe": b"hello",
        "app/arm.exe": pe(ARM64),
        "app/old.exe": pe(I386),
        "app/do.ps1": b"exit",
        "conf/a.toml": b"",
        "Windows/System32/config/SYSTEM": b"regf",  # of the base layer
    }
)


def nodes(word: str, workdir: str = "", path: str | None = None) -> set[str]:
    """Return the kinds of node that find *word* in the image."""
    env = () if path is None else (("Path", path),)
    found = start.search(Settings((word,), (), env, workdir), IMAGE)
    return {node for node, file in found.items() if file is not None}


@pytest.mark.parametrize(
    ("word", "workdir", "path", "wanted"),
    [
        ("run.exe", "", None, {BOUND, FIRST, PLAIN}),
        ("RUN", "", None, {BOUND, FIRST, PLAIN}),
        ("agent.exe", "", None, set()),
        ("agent.exe", f"{MOUNT}\\app", None, {BOUND, FIRST, PLAIN}),
        ("agent.exe", "C:\\app", None, {PLAIN}),  # with bind filters, C:\app is the node's
        ("agent.exe", "C:\\hpc\\app", None, {BOUND, FIRST}),
        ("agent", "", f"{MOUNT}\\app;C:\\Windows", {BOUND, FIRST, PLAIN}),
        ("agent", "", "C:\\hpc\\app", {BOUND, FIRST}),
        ("agent", "", "C:\\app", set()),
        (f"{MOUNT}\\app\\run.exe", "", None, {BOUND, FIRST, PLAIN}),
        (f"{MOUNT}\\APP\\task", "", None, {BOUND, FIRST, PLAIN}),
        ("$env:CONTAINER_SANDBOX_MOUNT_POINT\\app\\run.exe", "", None, {BOUND, FIRST, PLAIN}),
        (f"{MOUNT.lower()}\\app\\run.exe", "", None, {BOUND, FIRST}),  # hcsshim compares case, cmd does not
        (f"{MOUNT}/app/run.exe", "", None, {PLAIN}),  # cmd takes / for a switch
        ("C:\\hpc\\app\\run.exe", "", None, {BOUND, FIRST}),
        ("C:\\app\\run.exe", "", None, set()),
        ("/app/run.exe", "", None, set()),
        ("\\app\\run.exe", "", None, set()),
        ("app\\run.exe", "", None, {BOUND, PLAIN}),  # the first releases start it in C:\
        (".\\run.exe", "", None, {BOUND, PLAIN}),
        ("app/run.exe", "", None, {PLAIN}),
        ("./run.exe", "", None, {PLAIN}),
        ("D:\\run.exe", "", None, set()),
        ("\\\\server\\run.exe", "", None, set()),
        ("", "", None, set()),
    ],
)
def test_each_kind_of_node_finds_a_program(word: str, workdir: str, path: str | None, wanted: set[str]) -> None:
    assert nodes(word, workdir, path) == wanted


@pytest.mark.parametrize(
    "word",
    [
        "C:\\app\\run.exe",
        "c:/APP/run",
        "/app/run.exe",
        "app/run.exe",
        "./app/run.exe",
        "app\\run.exe",
        "C:\\hpc\\app\\run.exe",
        "\\\\?\\C:\\app\\run.exe",
        f"{MOUNT.lower()}/app//run.exe",
        "app/../app/run.exe",
    ],
)
def test_every_spelling_means_the_file_of_the_image(word: str) -> None:
    file = start.meant(word, "", IMAGE)
    assert file is not None
    assert paths.mounted(file.path) == f"{MOUNT}\\app\\run.exe"


def test_a_relative_spelling_means_the_file_in_the_working_directory_first() -> None:
    for word, workdir, wanted in (
        ("./run.exe", "/app", "app/run.exe"),
        ("./run.exe", "", "run.exe"),
        ("./run.exe", "/nosuch", "run.exe"),
        ("agent.exe", "C:\\app", "app/agent.exe"),
    ):
        file = start.meant(word, workdir, IMAGE)
        assert file is not None
        assert file.path == wanted
    for word in (
        "D:\\app\\run.exe",
        "\\\\app\\run.exe",
        "agent.exe",
        "",
        "C:",
        "$env:container_sandbox_mount_point\\run.exe",
    ):
        assert start.meant(word, "", IMAGE) is None


def rules(asked: Settings, base: Base = "hostprocess", files: Files = IMAGE) -> list[str]:
    """Return the rules that *asked* breaks; each problem is a line that names its value."""
    problems = [*start.check(asked, files, base), *settings.check(asked, files, base)]
    assert all(each.found and "\n" not in each.found + each.hint for each in problems)
    return [each.rule for each in problems]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("", []),
        ("run.exe -x", []),
        ("powershell.exe -File x.ps1", []),
        ("cmd /c dir", []),
        ("pwsh", []),
        ("C:\\Windows\\System32\\ping.exe", []),
        ("C:\\tools\\run.exe", ["program-node"]),
        ("D:\\run.exe", ["program-node"]),
        ("C:apprun.exe", ["program-some"]),
        ("C:\\app", ["program-some"]),
        ("/APP", ["program-some"]),
        ("%SystemRoot%\\System32\\ping.exe", ["program-some"]),  # cmd expands it; Server 2019 does not
        (f"{MOUNT}app\\run.exe", ["program"]),
        ("\\\\?\\C:\\app\\run.exe", ["program"]),
        ("\\\\?\\D:\\run.exe", ["program-node"]),
        ("nosuch.exe", ["program-node"]),
        ("C:\\app\\run.exe", ["program"]),
        ("/app/run.exe", ["program"]),
        ("/nosuch/run.exe", ["program-some"]),  # Server 2019 may have it
        ("C:/Windows/System32/ping.exe", ["program-some"]),
        ("/bin/sh", ["program"]),
        ("/usr/local/bin/x", ["program"]),
        ("nosuch\\run.exe", ["program"]),
        (f"{MOUNT}\\nosuch.exe", ["program"]),
        ('["run.exe","-x"]', ["program"]),
        ("agent.exe", ["program-some"]),
        ("app\\run.exe", ["program-some"]),
        ("./run.exe", ["program-some"]),
        (f"{MOUNT}\\app\\task.cmd", []),
        (f"{MOUNT}\\app\\do.ps1", ["program-kind"]),
        (f"{MOUNT}\\app\\linux.exe", ["program-kind"]),
        (f"{MOUNT}\\app\\script", ["program-kind"]),
        (f"{MOUNT}\\app\\mac.exe", ["program-kind"]),
        (f"{MOUNT}\\app\\library.dll", ["program-kind"]),
        (f"{MOUNT}\\app\\dos.exe", ["program-header"]),
        (f"{MOUNT}\\app\\text.exe", ["program-header"]),
        (f"{MOUNT}\\app\\arm.exe", ["program-machine"]),
        (f"{MOUNT}\\app\\old.exe", []),  # WOW64
        ("run.exe --a=x&y", ["arguments"]),
        ("run.exe %OS%", ["arguments"]),
        (f"run.exe {MOUNT}\\conf", []),
        ('run.exe say"x"', ["arguments"]),
        ("run.exe --config=C:\\conf\\a.toml", ["path-of-image"]),
        ("run.exe /conf/a.toml", ["path-of-image"]),
        ("run.exe C:\\Windows /verbose conf/a.toml", []),
    ],
)
def test_words_of_a_hostprocess_image(words: str, wanted: list[str]) -> None:
    assert rules(Settings(tuple(words.split()))) == wanted


def test_words_with_spaces() -> None:
    spaced = f"{MOUNT}\\app\\my app.exe"
    assert rules(Settings((spaced, "-x"))) == []
    assert rules(Settings((spaced, "a b"))) == ["program-quotes"]
    assert rules(Settings(("run.exe", "a & b"))) == []  # in quotes
    assert rules(Settings(("run.exe",), ("a b %OS%",))) == ["arguments"]
    assert rules(Settings(("run.exe",), ('["C:\\\\app", "%OS%"]',))) == ["arguments"]
    assert rules(Settings(("C:\\app\\run.exe",), ('["-once"]',)), "windows") == ["arguments"]
    assert rules(Settings(("C:\\app\\run.exe",), ("--list", '["-once"]')), "windows") == []
    assert rules(Settings(("run.exe", ""))) == ["argument-empty"]
    assert rules(Settings(("", "run.exe"))) == ["program"]
    assert rules(Settings(('"run.exe"',))) == ["program"]
    assert rules(Settings((), ("run.exe", ""))) == ["argument-empty"]
    assert rules(Settings(("powershell -File x.ps1 -Now",))) == ["program-some"]
    assert rules(Settings(("powershell -File x.ps1",), raw=True)) == []
    for word, wanted in (
        ("C:\\app\\run.exe --flag", ["program"]),
        ("C:\\hpc\\app\\run.exe --flag", ["program-some"]),
        (f"{MOUNT}\\app\\run.exe --flag", ["program-some"]),
        (f"{MOUNT}\\app\\nosuch.exe --flag", ["program"]),
        ("powershell -File x.ps1", ["program-some"]),
        ("C:\\Windows\\pwsh.exe -File x.ps1", ["program-some"]),
        ("C:\\my files\\x.ps1", ["program-kind"]),
        ("C:\\Windows\\System32\\cmd.exe /c dir", ["program-some"]),
        ("C:\\Program Files\\x\\run.exe", ["program-node"]),
        ("C:\\run.exe ", ["program-node"]),
    ):
        assert rules(Settings((word,))) == wanted, word
    assert rules(Settings(("run.exe", "a&" * 20_000))) == ["program"]
    assert rules(Settings(("bin\\run.exe",), workdir="C:\\data")) == ["program-node", "workdir"]


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (Settings(env=(("PATH", "%PATH%;C:\\Windows"),)), ["env-path"]),
        (Settings(env=(("Path", "$PATH;C:\\Windows"),)), ["env-path"]),
        (Settings(env=(("PATH", "/usr/local/bin:/usr/bin"),)), ["env-path"]),
        (Settings(env=(("PATH", "C:\\tools"),)), ["env-path"]),
        (Settings(env=(("PATH", f"{MOUNT};C:\\Windows\\System32;c:\\windows"),)), []),
        (Settings(env=(("PATH", "C:\\Windows\\System32:C:\\app"),)), ["env-path"]),
        (Settings(env=(("PATH", "C:\\Windows\\System32,C:\\x"),)), ["env-path"]),
        (Settings(env=(("PATH", f"{MOUNT}:C:\\Windows"),)), ["env-path"]),
        (Settings(env=(("PATH", '"C:\\Windows" ; $env:CONTAINER_SANDBOX_MOUNT_POINT;\\\\?\\C:\\x;'),)), []),
        (Settings(env=(("X", "%PATH%;a"),)), ["env-path"]),
        (Settings(env=(("PSModulePath", "%psmodulepath%;C:\\x"),)), ["env-path"]),
        (Settings(env=(("X", "100% of ${env:Path}"),)), ["env-path"]),
        (Settings(env=(("X", "100% of $5 %TEMP%"),)), []),
        (Settings(env=(("Path", "C:\\Windows"), ("PATH", "C:\\Windows"))), ["env-twice"]),
        (Settings(env=(("CONF", "C:\\conf\\a.toml"),)), ["path-of-image"]),
        (Settings(env=(("CONF", f"{MOUNT}\\conf\\a.toml"), ("URL", "https://conf/a.toml"))), []),
        (Settings(user="ContainerUser"), ["user"]),
        (Settings(user="containeradministrator"), ["user"]),
        (Settings(user="1001:1001"), ["user"]),
        (Settings(user="NT AUTHORITY\\SYSTEM"), []),
        (Settings(workdir="C:\\app"), ["workdir"]),
        (Settings(workdir="C:\\data"), ["workdir"]),
        (Settings(workdir="C:\\Windows\\System32"), []),
        (Settings(workdir=f"{MOUNT}\\app"), []),
    ],
)
def test_settings_of_a_hostprocess_image(asked: Settings, wanted: list[str]) -> None:
    assert rules(asked) == wanted


WINDOWS = Files(
    {"app/run.exe": pe(), "Windows/System32/cmd.exe": pe(), "app/old.exe": pe(I386), "app/arm.exe": pe(ARM64)}
)
LIST = (("PATH", "C:\\Windows;C:\\app"),)


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (Settings(("C:\\app\\run.exe",)), []),
        (Settings(("app/run.exe",)), []),
        (Settings(("./run.exe",), workdir="C:\\app"), []),
        (Settings(("cmd", "/S", "/C", "dir & %X%")), []),
        (Settings(("run",), env=LIST), []),
        (Settings(("nosuch.exe",)), []),  # PATH is in the registry
        (Settings(("nosuch.exe",), env=LIST), ["program"]),
        (Settings(("C:\\nosuch.exe",)), ["program"]),
        (Settings(("C:\\app\\run.exe a b",), raw=True), []),
        (Settings(("C:\\app\\old.exe",)), ["program-machine"]),  # no WOW64, as in nanoserver
        (Settings(("C:\\app\\arm.exe",)), ["program-machine"]),
        (Settings(("C:\\app\\run.exe",), user="ContainerUser", workdir="C:\\app"), []),
        (Settings((f"{MOUNT}\\app\\run.exe",)), []),  # this, too, can be a HostProcess container
    ],
)
def test_an_image_with_its_own_windows(asked: Settings, wanted: list[str]) -> None:
    assert rules(asked, "windows", WINDOWS) == wanted


def test_nothing_is_missing_in_a_windows_that_is_not_known() -> None:
    files = Files({"app/linux.exe": b"\x7fELF"}, complete=False)
    assert rules(Settings(("C:\\nosuch.exe",)), "windows", files) == []
    assert rules(Settings((f"{MOUNT}\\nosuch.exe",)), "windows", files) == []
    assert rules(Settings(("C:\\app\\linux.exe",)), "windows", files) == ["program-kind"]


def test_no_program_starts_without_a_windows() -> None:
    assert rules(Settings(("run.exe",)), "bare") == ["no-windows"]
    assert rules(Settings(), "bare") == []


def test_a_program_is_identified_by_its_first_bytes() -> None:
    for data, wanted in (
        (pe(AMD64), Program("pe", "amd64")),
        (pe(ARM64), Program("pe", "arm64")),
        (pe(I386, at=HEAD - 6), Program("pe", "386")),
        (pe(I386, at=HEAD - 5), Program("pe")),  # beyond the part that is read
        (pe(0x1234), Program("pe", "an unknown machine")),
        (pe()[:0x84], Program("mz")),
        (b"MZ", Program("mz")),
        (b"MZ" + bytes(100), Program("mz")),
        (pe()[:0x96] + b"\2\x20", Program("dll")),
        (pe()[:0x96] + b"\x22\0", Program("pe", "amd64")),
        (b"\x7fELF", Program("elf")),
        (b"\xcf\xfa\xed\xfe\7\0\0\1", Program("mach-o")),
        (b"\xca\xfe\xba\xbe\0\0\0\x3d", Program("other")),  # a Java class
        (b"#!", Program("script")),
        (b"", Program("other")),
    ):
        assert identify(data[:HEAD]) == wanted
