# SPDX-License-Identifier: Apache-2.0
"""Join an image's configuration with its new base's: what came from the old base follows, the image's own stays."""

from typing import Any

from generator.compose.join import join

OLD: dict[str, Any] = {
    "architecture": "amd64",
    "os": "windows",
    "os.version": "10.0.20348.1970",
    "created": "2024-01-01T00:00:00Z",
    "config": {
        "Cmd": [r"c:\windows\system32\cmd.exe"],
        "Env": [r"Path=C:\Windows", "OLD=1"],
        "User": "ContainerUser",
        "Labels": {"vendor": "m", "gone": "1"},
        "Volumes": {r"C:\old": {}},
    },
}
NEW: dict[str, Any] = {
    **OLD,
    "os.version": "10.0.20348.2113",
    "created": "2024-02-01T00:00:00Z",
    "config": {
        "Cmd": ["powershell.exe"],
        "Env": [r"Path=C:\Windows;C:\More", "NEW=1"],
        "User": "ContainerAdministrator",
        "Labels": {"vendor": "n"},
        "Shell": ["powershell"],
    },
}


def image(**config: Any) -> dict[str, Any]:
    """Return the configuration of an image on the old base, which sets some fields itself."""
    return {**OLD, "created": "2025-01-01T00:00:00Z", "config": {**OLD["config"], **config}}


def joined(**config: Any) -> dict[str, Any]:
    found: dict[str, Any] = join(image(**config), OLD, NEW)[0]["config"]
    return found


def test_an_image_that_sets_nothing_has_the_configuration_of_the_new_base() -> None:
    found, changes = join(image(), OLD, NEW)
    assert found == {**NEW, "created": "2025-01-01T00:00:00Z"}
    assert sorted(changes) == [
        r"Cmd: ['c:\\windows\\system32\\cmd.exe'] becomes ['powershell.exe']",
        "Env NEW: none becomes 1",
        "Env OLD: 1 becomes none",
        r"Env PATH: C:\Windows becomes C:\Windows;C:\More",
        "Labels gone: 1 becomes none",
        "Labels vendor: m becomes n",
        "Shell: none becomes ['powershell']",
        "User: ContainerUser becomes ContainerAdministrator",
        r"Volumes C:\old: {} becomes none",
        "os.version: 10.0.20348.1970 becomes 10.0.20348.2113",
    ]


def test_own_values_stay_and_lines_say_which_values_of_the_base_changed() -> None:
    own = {"User": "Me", "Env": [r"PATH=C:\app;C:\Windows", "OLD=1", "A=b=c"], "Labels": {"vendor": "own", "x": ""}}
    found, changes = join(image(**own), OLD, NEW)
    assert found["config"]["User"] == "Me"
    assert found["config"]["Env"] == [r"PATH=C:\app;C:\Windows", "NEW=1", "A=b=c"]
    assert found["config"]["Labels"] == {"vendor": "own", "x": ""}
    stays = [line for line in changes if ": stays " in line]
    assert stays == [
        r"Env PATH: stays C:\app;C:\Windows; the base's was C:\Windows, and is C:\Windows;C:\More",
        "Labels vendor: stays own; the base's was m, and is n",
        "User: stays Me; the base's was ContainerUser, and is ContainerAdministrator",
    ]


def test_names_of_variables_have_no_case() -> None:
    assert joined(Env=[r"PATH=C:\Windows", "old=1"])["Env"] == [r"Path=C:\Windows;C:\More", "NEW=1"]


def test_what_the_image_removed_stays_removed() -> None:
    found = joined(Env=[], Labels={}, Volumes={}, User="")
    assert found["Env"] == ["NEW=1"]
    assert {"Labels", "Volumes", "User"}.isdisjoint(found)


def test_an_own_entry_point_keeps_the_arguments_of_the_image() -> None:
    with_both = joined(Entrypoint=["app.exe"])
    assert (with_both["Entrypoint"], with_both["Cmd"]) == (["app.exe"], OLD["config"]["Cmd"])
    alone = joined(Entrypoint=["app.exe"], Cmd=None)
    assert "Cmd" not in alone
    assert joined(Cmd=["x"])["Cmd"] == ["x"]


def test_the_raw_command_line_goes_with_the_program() -> None:
    raw = {**NEW, "config": {**NEW["config"], "ArgsEscaped": True}}
    assert join(image(), OLD, raw)[0]["config"]["ArgsEscaped"] is True
    assert "ArgsEscaped" not in join(image(Cmd=["x"]), OLD, raw)[0]["config"]
    assert joined(Cmd=["x"], ArgsEscaped=True)["ArgsEscaped"] is True
    assert "ArgsEscaped" not in joined(ArgsEscaped=True)


def test_ports_and_volumes_are_joined_by_name() -> None:
    found = joined(ExposedPorts={"80/tcp": {}}, Volumes={r"C:\old": {}, r"C:\data": {}})
    assert (found["ExposedPorts"], found["Volumes"]) == ({"80/tcp": {}}, {r"C:\data": {}})


def test_unknown_fields_are_joined_by_value() -> None:
    before, after = ({**OLD, "x": each, "config": {**OLD["config"], "Y": each}} for each in (1, 2))
    assert join(before, before, after)[0]["x"] == 2
    own = {**before, "x": 3, "config": {**before["config"], "Y": [3]}}
    found = join(own, before, after)[0]
    assert (found["x"], found["config"]["Y"]) == (3, [3])


def test_a_version_of_the_image_stays_on_a_base_for_any_version() -> None:
    bare: dict[str, Any] = {"architecture": "amd64", "os": "windows", "config": {}}
    versioned = bare | {"os.version": "10.0.20348"}
    assert join(versioned, bare, bare)[0]["os.version"] == "10.0.20348"
    assert join(versioned, bare, NEW)[0]["os.version"] == NEW["os.version"]
    assert "os.version" not in join(versioned, versioned, bare)[0]
