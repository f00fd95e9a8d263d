# SPDX-License-Identifier: Apache-2.0
"""The configuration of an image on a base of others, by Docker's rules, and the options that Dockerfiles have."""

from typing import Any

import pytest

from generator.base.errors import GeneratorError
from generator.image import Options, healthcheck, inherit
from generator.image.config import running

OLD = {
    "Entrypoint": ["old.exe"],
    "Cmd": ["-a"],
    "Env": [r"Path=C:\Windows", "A=1"],
    "Labels": {"a": "1", "b": "2"},
    "ExposedPorts": {"80/tcp": {}},
    "Volumes": {r"C:\old": {}},
    "User": "ContainerUser",
    "WorkingDir": r"C:\old",
    "StopSignal": "SIGTERM",
    "Healthcheck": {"Test": ["NONE"]},
    "Shell": ["cmd", "/S", "/C"],
    "ArgsEscaped": True,
    "NetworkDisabled": False,
    "Unknown": [1],
}


def merged(old: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    return inherit.settings(OLD if old is None else old, running(Options(**options)))


def test_without_options_all_is_the_bases() -> None:
    assert merged() == OLD


@pytest.mark.parametrize(
    ("options", "changed", "gone"),
    [
        ({"entrypoint": ("a.exe",)}, {"Entrypoint": ["a.exe"]}, {"Cmd", "ArgsEscaped"}),
        ({"entrypoint": ("a.exe",), "cmd": ("x",)}, {"Entrypoint": ["a.exe"], "Cmd": ["x"]}, {"ArgsEscaped"}),
        ({"cmd": ("x",)}, {"Cmd": ["x"]}, set()),
        ({"env": {"PATH": "x", "B": "2"}}, {"Env": ["PATH=x", "A=1", "B=2"]}, set()),
        ({"label": {"b": "3", "c": "4"}}, {"Labels": {"a": "1", "b": "3", "c": "4"}}, set()),
        ({"expose": ("53/udp",)}, {"ExposedPorts": {"80/tcp": {}, "53/udp": {}}}, set()),
        ({"volume": ("/data",)}, {"Volumes": {r"C:\old": {}, r"C:\data": {}}}, set()),
        ({"user": "u", "workdir": "/w"}, {"User": "u", "WorkingDir": r"C:\w"}, set()),
        ({"stop_signal": "SIGKILL"}, {"StopSignal": "SIGKILL"}, set()),
        ({"shell": ("powershell", "-Command")}, {"Shell": ["powershell", "-Command"]}, set()),
        ({"healthcheck": "CMD a.exe"}, {"Healthcheck": {"Test": ["CMD-SHELL", "a.exe"]}}, set()),
    ],
)
def test_an_option_changes_its_field_as_a_dockerfile_does(
    options: dict[str, Any], changed: dict[str, Any], gone: set[str]
) -> None:
    assert merged(**options) == {key: value for key, value in {**OLD, **changed}.items() if key not in gone}


def test_a_command_is_the_program_if_the_base_has_no_entry_point() -> None:
    old = {"Cmd": [r"c:\windows\system32\cmd.exe /c x"], "ArgsEscaped": True}
    assert merged(old, cmd=("x.exe",)) == {"Cmd": ["x.exe"]}
    assert merged(old, user="u") == {**old, "User": "u"}


def test_a_variable_in_any_case_replaces_all_of_the_base() -> None:
    old = ["Path=1", "PATH=2", "Temp=3"]
    assert inherit.environment(old, []) == ["PATH=2", "Temp=3"]
    assert inherit.environment(old, ["path=4"]) == ["path=4", "Temp=3"]
    assert inherit.environment([], ["=C:=C:\\", "a=b=c"]) == ["=C:=C:\\", "a=b=c"]


@pytest.mark.parametrize("missing", [None, {}, []])
def test_empty_fields_of_a_base_are_taken(missing: object) -> None:
    old: dict[str, Any] = {"Env": missing, "Labels": missing, "OnBuild": missing, "Entrypoint": missing}
    assert merged(old, env={"A": "b"}, label={"c": "d"}, cmd=("x",)) | {"Entrypoint": None} == {
        "Env": ["A=b"],
        "Labels": {"c": "d"},
        "Cmd": ["x"],
        "Entrypoint": None,
    }


def test_triggers_are_refused() -> None:
    with pytest.raises(GeneratorError, match=r"ONBUILD COPY \. /src is for builds by Dockerfile; hint"):
        merged({"OnBuild": ["COPY . /src"]})


def test_a_base_without_history_gets_one_for_each_layer() -> None:
    base = {"os": "windows", "rootfs": {"type": "layers", "diff_ids": ["a", "b"]}, "author": "me"}
    made = inherit.configuration(base, {}, [("c", "files")], "2020-01-01T00:00:00Z")
    assert made["rootfs"] == {"type": "layers", "diff_ids": ["a", "b", "c"]}
    assert [each.get("created_by") for each in made["history"]] == [None, None, "files"]
    assert made["author"] == "me"
    with pytest.raises(GeneratorError, match="its history: 1 layer, of 2; hint"):
        inherit.configuration({**base, "history": [{}, {"empty_layer": True}]}, {}, (), "")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("NONE", {"Test": ["NONE"]}),
        ("CMD a.exe  -x", {"Test": ["CMD-SHELL", "a.exe  -x"]}),
        ('cmd ["a.exe", "-x y"]', {"Test": ["CMD", "a.exe", "-x y"]}),
        ("CMD [Text]::x", {"Test": ["CMD-SHELL", "[Text]::x"]}),
        (
            "--interval=1m30s --timeout=1.5s --start-period=2h --start-interval=1ms --retries=3 CMD a",
            {
                "Test": ["CMD-SHELL", "a"],
                "Interval": 90_000_000_000,
                "Timeout": 1_500_000_000,
                "StartPeriod": 7_200_000_000_000,
                "StartInterval": 1_000_000,
                "Retries": 3,
            },
        ),
        ("--interval=0s --retries=0 CMD a", {"Test": ["CMD-SHELL", "a"]}),
    ],
)
def test_a_health_check_is_read_as_in_a_dockerfile(text: str, found: dict[str, Any]) -> None:
    assert healthcheck.parse(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.exe",
        "CMD",
        "NONE x",
        "--interval=30s NONE",
        "--interval=30 CMD a",
        "--interval=-1s CMD a",
        "--interval=1us CMD a",
        "--interval=9999999h CMD a",
        "--interval=" + "9" * 18 + "h CMD a",
        "--retries=x CMD a",
        "--every=1s CMD a",
        "--interval CMD a",
    ],
)
def test_an_invalid_health_check_is_one_line_with_an_example(text: str) -> None:
    with pytest.raises(GeneratorError, match=r"^--healthcheck .*; hint: as in a Dockerfile, such as "):
        healthcheck.parse(text)


@pytest.mark.parametrize("text", ["term", "SIGTERM ", "-1", "SIG\n", "9999"])
def test_an_invalid_stop_signal_is_refused(text: str) -> None:
    with pytest.raises(GeneratorError, match=r"^--stop-signal .*: invalid signal"):
        running(Options(stop_signal=text))


@pytest.mark.parametrize("text", ["SIGTERM", "SIGRTMIN+3", "9", "KILL"])
def test_a_stop_signal_is_stored_as_it_is(text: str) -> None:
    assert running(Options(stop_signal=text))["StopSignal"] == text
