# SPDX-License-Identifier: Apache-2.0
"""Shapes of real images for the tests of builders, and what a built image holds."""

from typing import Any, NamedTuple

from generator.image import Options
from generator.imageread import images
from generator.imageread.untar import TarReader
from generator.runtime.paths import MOUNT
from helpers.image_checks import checked
from helpers.programs import pe


def judged(name: str) -> tuple[int, set[str]]:
    """Return the status of check-image and the rules that the image breaks."""
    status, (image,) = checked(name)
    return status, {finding["rule"] for finding in image["findings"]}


class Held(NamedTuple):
    """What two builders have to agree on."""

    kind: str
    data: bytes
    attributes: str | None
    descriptor: str | None


def held(name: str) -> tuple[dict[str, Held], dict[str, Any], int]:
    """Return what an image's layers on top hold by path, its settings, and how many layers it has."""
    with images.images(name) as (image,):
        found: dict[str, Held] = {}
        for layer in image.layers[1:]:
            with layer.open() as blob:
                tar = TarReader(images.unpack(blob)[1])
                for entry in tar:
                    data = b"".join(iter(tar.read, b""))
                    records = entry.records
                    found[entry.name.rstrip("/")] = Held(
                        entry.kind, data, records.get("MSWINDOWS.fileattr"), records.get("MSWINDOWS.rawsd")
                    )
        assert image.config is not None
        assert image.config.config is not None
        settings = image.config.config
        shown = {"entrypoint": settings.entrypoint, "cmd": settings.cmd or None, "env": settings.env or None}
        return found, shown, len(image.layers)


PATH = r"C:\Windows\system32;C:\Windows;"
FILES = {
    "windows_exporter-0.31.0-amd64.exe": pe() + b"exporter",
    "azure-cns.exe": pe() + b"cns",
    "examples/azure.conf": b"{}",
    "kubeconfigtemplate.yaml": b"kind: Config\n",
    "filebeat/filebeat.exe": pe() + b"filebeat",
    "filebeat/filebeat.yml": b"output.console: {}\n",
    "filebeat/modules.d/system.yml": b"- module: system\n",
    "dropgz.exe": pe() + b"dropgz",
}


class Shape(NamedTuple):
    """A Dockerfile behind ``FROM``, and the options that make the same by our command."""

    dockerfile: str
    options: Options


SHAPES = {
    "windows_exporter": Shape(
        'COPY windows_exporter*-amd64.exe /windows_exporter.exe\nENTRYPOINT ["windows_exporter.exe"]\n',
        Options(
            source=("windows_exporter-0.31.0-amd64.exe:/windows_exporter.exe",), entrypoint=("windows_exporter.exe",)
        ),
    ),
    "azure-cns": Shape(
        "COPY kubeconfigtemplate.yaml kubeconfigtemplate.yaml\nCOPY examples/azure.conf /azure.conf\n"
        'COPY azure-cns.exe /azure-cns.exe\nENTRYPOINT ["azure-cns.exe"]\nEXPOSE 10090\n',
        Options(
            source=("kubeconfigtemplate.yaml", "examples/azure.conf", "azure-cns.exe"),
            entrypoint=("azure-cns.exe",),
            expose=("10090",),
        ),
    ),
    "filebeat": Shape(
        f'ENV PATH="{PATH}"\nCOPY filebeat /filebeat\nWORKDIR /filebeat\nENTRYPOINT ["filebeat.exe"]\nCMD ["-e"]\n',
        Options(source=("filebeat:/filebeat",), entrypoint=("filebeat.exe",), cmd=("-e",), env={"PATH": PATH}),
    ),
    "dropgz": Shape(
        'ADD dropgz.exe /dropgz.exe\nENTRYPOINT ["/dropgz.exe"]\n',
        Options(source=("dropgz.exe",), entrypoint=("/dropgz.exe",)),
    ),
}


# What the images do not start with on every node: of ours, and of those that BuildKit makes of the Dockerfile as it is.
STARTS: dict[str, tuple[set[str], set[str]]] = {
    "filebeat": ({"program-some"}, {"program-some", "workdir"}),
    "dropgz": (set(), {"program"}),
}
STORED = {"/dropgz.exe": f"{MOUNT}\\dropgz.exe"}
