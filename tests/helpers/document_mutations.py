# SPDX-License-Identifier: Apache-2.0
"""Documents of images with damage of every kind, the same for everybody: for comparing decoders."""

import json
import random
from collections.abc import Iterator
from typing import Any

DIGEST = "sha256:" + "0" * 64
TIME = "2024-05-05T10:00:00.5+02:00"
PLATFORM = {
    "architecture": "amd64",
    "os": "windows",
    "os.version": "10.0.20348",
    "os.features": ["win32k"],
    "variant": "v8",
}
DESCRIPTOR = {
    "mediaType": "application/vnd.oci.image.layer.v1.tar",
    "digest": DIGEST,
    "size": 5,
    "urls": ["http://example"],
    "annotations": {"a": "b"},
    "data": "aGVsbG8=",
    "platform": PLATFORM,
    "artifactType": "text/plain",
}
LISTED = DESCRIPTOR | {"platform": PLATFORM | {"features": ["sse4"]}}
MANIFEST = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "artifactType": "text/plain",
    "config": DESCRIPTOR,
    "layers": [DESCRIPTOR, {"digest": DIGEST, "size": 7, "mediaType": "x"}],
    "subject": DESCRIPTOR,
    "annotations": {"a": "b", "c": ""},
}
SETTINGS = {
    "User": "ContainerUser",
    "ExposedPorts": {"80/tcp": {}},
    "Env": ["A=b"],
    "Entrypoint": ["a.exe"],
    "Cmd": ["-v"],
    "Volumes": {"C:\\v": {}},
    "WorkingDir": "C:\\",
    "Labels": {"a": "b"},
    "StopSignal": "9",
    "ArgsEscaped": True,
    "Healthcheck": {
        "Test": ["CMD", "x"],
        "Interval": 30,
        "Timeout": 30,
        "StartPeriod": 1,
        "StartInterval": 2,
        "Retries": 3,
    },
    "OnBuild": ["RUN x"],
    "Shell": ["cmd"],
    "Hostname": "h",
    "Domainname": "d",
    "AttachStdin": False,
    "AttachStdout": False,
    "AttachStderr": False,
    "Tty": False,
    "OpenStdin": False,
    "StdinOnce": False,
    "Image": "i",
    "NetworkDisabled": False,
    "MacAddress": "m",
    "StopTimeout": 5,
}
WHOLE: dict[str, Any] = {
    "layout": {"imageLayoutVersion": "1.0.0"},
    "index": {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "artifactType": "text/plain",
        "manifests": [LISTED, {"digest": DIGEST, "size": 9, "mediaType": "y"}],
        "subject": DESCRIPTOR,
        "annotations": {"a": "b"},
    },
    "manifest": MANIFEST,
    "config": {
        "created": TIME,
        "author": "me",
        **PLATFORM,
        "config": SETTINGS,
        "rootfs": {"type": "layers", "diff_ids": [DIGEST]},
        "history": [{"created": TIME, "created_by": "x", "author": "y", "comment": "z", "empty_layer": True}],
        "id": "1",
        "parent": "2",
        "comment": "3",
        "container": "4",
        "container_config": SETTINGS,
        "docker_version": "5",
    },
    "saved": [{"Config": "c", "RepoTags": ["a:b"], "Layers": ["l"], "Parent": "p", "LayerSources": {"x": DESCRIPTOR}}],
}
TIMES = (
    "2024-05-05T1:00:00Z", "2024-05-05T10:00:00", "2024-05-05 10:00:00Z", "2024-02-30T10:00:00Z",
    "0000-02-29T00:00:00Z",
    "2100-02-29T00:00:00Z", "2024-05-05T10:00:00,123456789123Z", "2024-05-05T10:00:00.Z", "2024-05-05T10:00:00+24:60",
    "2024-05-05T10:00:00+25:00", "2024-05-05T10:00:00z", "2024-05-05t10:00:00Z", "2024-05-05T24:00:00Z", "", "Z",
    "2024-05-05T10:00:60Z", "2024-05-05T10:00:00-0700", "10000-01-01T00:00:00Z", "2024-13-01T00:00:00Z",
    "2024-00-01T0:00:00Z",
)  # fmt: skip
STRINGS = (
    *('"' + each + '"' for each in TIMES), '"x"', '"\\ud800"', '"\\ud83d\\ude00"', '"\\u0000"',
    '"\udcff\udcfe"', '"\x7f"',
    '"\\x"', '"\n"', '"', "'x'", '"\\u12"', '"2024-05-05T10:00:00\\u005a"', '"aGVsbG8"', '"aGVsbG8=\\n"', '"a=GVsbG8="',
    '"aGVsbG9="', '"="', '"===="', '"\\/"', '"é"', '"\u2028"', '"' + "A" * 300 + '"',
)  # fmt: skip
OTHERS = (
    "null", "true", "false", "nul", "True", "{}", "[]", "[null]", '{"a": null}', '{"a": {}}', '["a"]',
    "[1, 255]", "[256]",
    "[-0]", "[[]]", "[{}]", "0", "-0", "-", "01", "1.0", "1e3", "1E400", "9223372036854775807", "9223372036854775808",
    "-9223372036854775808", "-9223372036854775809", "NaN", "Infinity", "1.", ".5", "+1", "0x1", "", "[1,]",
    '{"a":1,}', "//",
    "[" * 9_990 + "]" * 9_990, "[" * 10_001 + "]" * 10_001, "[1 2]", '{"a" 1}', '{a: 1}', '{1: 1}', '{"a": 1 "b": 2}',
)  # fmt: skip
PLACE = "\ue000"  # where a value is cut out


def mutated(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield *count* documents, each with its kind."""
    chance = random.Random(seed)  # noqa: S311 - the same damage for everybody
    for _ in range(count):
        kind = chance.choice(list(WHOLE))
        document = json.loads(json.dumps(WHOLE[kind]))
        value = None
        for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
            value = _change(document, chance)
        text = json.dumps(document, ensure_ascii=chance.random() < 0.5, indent=chance.choice((None, None, 1)))
        if value is not None:
            text = text.replace(f'"{PLACE}"', value).replace(json.dumps(PLACE), value)
        data = bytearray(text.encode("utf-8", "surrogateescape"))
        if chance.random() < 0.15 and data:
            at = chance.randrange(len(data))
            data[at : at + chance.randrange(2)] = chance.choice(
                (b"", b"\0", b" ", b",", b'"', b"\xff", b"}", b"\\", b"\xc2")
            )
        if chance.random() < 0.05:
            data += chance.choice((b" \n\t\r", b"x", b"{}", b"\0", b"\x0b", b"\xef\xbb\xbf"))
        yield kind, bytes(data)


def _change(document: Any, chance: random.Random) -> str | None:
    """Change *document* in one place; return the text that is to stand in the PLACE, if there is one."""
    places = list(_places(document))
    if not places:
        return None
    here, key = chance.choice(places)
    choice = chance.random()
    if isinstance(here, dict) and choice < 0.35:
        value = here[key]
        names = (key.upper(), key.lower(), key.swapcase(), key.replace("s", "\u017f", 1), key.replace("k", "\u212a", 1))
        other = chance.choice(names)
        if chance.random() < 0.5:
            del here[key]
        here[other] = chance.choice((value, None, "x", 1, {}, []))
        return None
    if choice < 0.45:
        del here[key]
        return None
    here[key] = PLACE
    return chance.choice(chance.choice((STRINGS, OTHERS)))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key, each in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(each, dict | list):
            yield from _places(each)
