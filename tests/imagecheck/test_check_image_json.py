# SPDX-License-Identifier: Apache-2.0
"""check-image reads JSON as Go's encoding/json does, field by field."""

import json
from pathlib import Path

import pytest
from helpers.image_checks import checked, found
from helpers.layouts import OCI, Layout, base


def test_keys_that_users_choose_may_differ_in_case_only(tmp_path: Path) -> None:
    layout = Layout(tmp_path, [base()])
    layout.config["config"] = {"Labels": {"os": "x", "OS": "y", "User": "z"}}
    layout.manifest["annotations"] = {"a": "1", "A": "2", "Layers": "3"}
    layout.config["size"] = layout.config["Architectures"] = 1.5
    assert found(layout) == {}


def changed(layout: Layout, which: str, old: str, new: str) -> str:
    """Write *layout* with *new* in the place of *old* in one of its documents as text, all digests made right."""
    layout.write()
    (entry,) = layout.index["manifests"]
    config, manifest = json.dumps(layout.config), json.dumps(layout.manifest)
    if which == "config":
        config = config.replace(old, new, 1)
        layout.manifest["config"] = Layout.point(layout.blob(surrogates(config)).read_bytes(), f"{OCI}config.v1+json")
        manifest = json.dumps(layout.manifest)
    else:
        manifest = manifest.replace(old, new, 1)
    data = layout.blob(surrogates(manifest)).read_bytes()
    layout.index["manifests"] = [entry | Layout.point(data, entry["mediaType"])]
    return layout.write()


def surrogates(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


DEEP = '{"x": ' + "[" * 9_999 + "]" * 9_999 + ", "
TAKEN = [  # by Go: the document, text in it, what stands there instead, and the unusual rules
    ("config", '"os": "windows"', '"os": "linux", "OS": "windows"', ["keys"] * 2),
    ("config", '"os": "windows"', '"o\\u0073": "windows", "os": null', ["keys"]),
    ("config", '"os": "windows"', '"os": "windows", "author": "\\ud800", "x": 1e999', []),
    ("config", '"os": "windows"', '"os": "windows", "author": "\udcff", "Comment": "\udc80"', ["keys"]),
    ("config", "{", DEEP, []),
    ("config", '"config": {}', '"config": null, "history": null, "created": null, "author": null', []),
    ("config", '"config": {}', '"config": {"Labels": {"a": "1", "a": "2"}}', ["keys"]),
    ("config", '"config": {}', '"config": {"Labels": {"a": null}, "Env": [null], "Healthcheck": {"Test": null}}', []),
    ("config", '"config": {}', '"created": "2024-02-29T1:00:00,5+24:60"', []),
    ("manifest", '"layers": [', '"LAYERS": [', ["keys"]),
    ("manifest", '"layers": [', '"annotations": null, "subject": null, "layers": [', []),
    ("manifest", '"schemaVersion": 2', '"\u017fchemaVersion": 2', ["keys"]),
]
REFUSED = [  # by Go, with the finding
    ("config", '"os": "windows"', '"os": "windows", "OS": "linux"', "os is 'linux'"),
    ("config", "{", DEEP.replace("[", "[[", 1).replace("]", "]]", 1), "more than 10,000 levels"),
    (
        "config",
        "{",
        '{"created": "2024-05-05T10:00:00", ',
        "created: got the string '2024-05-05T10:00:00', want a time",
    ),
    ("config", "{", '{"created": "2023-02-29T10:00:00Z", ', "created: "),
    ("config", "{", '{"created": "2024-05-05T10:00:00\\u005a", ', "created: "),
    ("config", "{", '{"created": 1700000000, ', "created: got the number 1700000000"),
    ("config", "{", '{"history": [{"created": "yesterday"}], ', "history[0].created: "),
    ("config", "{", '{"history": [{"empty_layer": "true"}], ', "history[0].empty_layer: "),
    ("config", "{", '{"author": ["me"], ', "author: got an array, want a string"),
    ("config", "{", '{"variant": 8, ', "variant: "),
    ("config", "{", '{"os.features": "win32k", ', "os.features: got the string 'win32k', want an array"),
    ("config", "{", '{"x": NaN, ', "invalid JSON"),
    ("config", "{", "\ufeff{", "invalid JSON"),
    (
        "config",
        '"config": {',
        '"config": {"ExposedPorts": ["80/tcp"]',
        "config.ExposedPorts: got an array, want an object",
    ),
    ("config", '"config": {', '"config": {"ExposedPorts": {"80/tcp": ""}', "config.ExposedPorts['80/tcp']: "),
    ("config", '"config": {', '"config": {"Volumes": "C:"', "config.Volumes: "),
    ("config", '"config": {', '"config": {"StopSignal": 9', "config.StopSignal: "),
    ("config", '"config": {', '"config": {"ArgsEscaped": "yes"', "config.ArgsEscaped: "),
    ("config", '"config": {', '"config": {"Healthcheck": {"Interval": "30s"}', "config.Healthcheck.Interval: "),
    ("config", '"config": {', '"config": {"Healthcheck": {"Retries": 1.5}', "config.Healthcheck.Retries: "),
    ("config", '"config": {', '"config": {"OnBuild": "RUN x"', "config.OnBuild: "),
    ("config", '"config": {', '"config": {"Shell": "cmd"', "config.Shell: "),
    ("config", '"config": {', '"config": {"Cmd": "cmd"', "config.Cmd: "),
    ("config", '"config": {', '"config": {"Tty": 1', "config.Tty: "),
    ("manifest", "{", '{"annotations": {"a": 1}, ', "annotations['a']: got the number 1, want a string"),
    ("manifest", "{", '{"subject": "x", ', "subject: "),
    ("manifest", "{", '{"artifactType": {}, ', "artifactType: "),
    ("manifest", '"layers": [{', '"layers": [{"urls": "http://x", ', "layers[0].urls: "),
    ("manifest", '"layers": [{', '"layers": [{"data": "?", ', "layers[0].data: got the string '?', want base64"),
    ("manifest", '"layers": [{', '"layers": [{"platform": {"os.features": 1}, ', "layers[0].platform.os.features: "),
    ("manifest", '"schemaVersion": 2', '"schemaVersion": 9223372036854775808', "want an integer of 64 bits"),
    ("manifest", '"schemaVersion": 2', '"schemaVersion": 2, "history": []', "it has history"),
]


@pytest.mark.parametrize(("which", "old", "new", "rules"), TAKEN, ids=range(len(TAKEN)))
def test_json_that_go_takes_is_taken(which: str, old: str, new: str, rules: list[str], tmp_path: Path) -> None:
    status, (image,) = checked(changed(Layout(tmp_path, [base()]), which, old, new))
    assert (status, [each["rule"] for each in image["findings"]]) == (0, rules)


@pytest.mark.parametrize(("which", "old", "new", "wanted"), REFUSED, ids=range(len(REFUSED)))
def test_a_field_that_clients_cannot_decode_is_named(
    which: str, old: str, new: str, wanted: str, tmp_path: Path
) -> None:
    status, (image,) = checked(changed(Layout(tmp_path, [base()]), which, old, new))
    assert (status, any(wanted in each["found"] for each in image["findings"])) == (1, True), image["findings"]
