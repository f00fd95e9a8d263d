# SPDX-License-Identifier: Apache-2.0
"""Run `rebase`, `index` and `outdated` in this process, on images made here."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from generator.compose import index as indexing
from generator.compose import outdated as judging
from generator.compose import rebase as moving

from . import image_runs
from .layouts import Layout


class Done(NamedTuple):
    """The result of a command: the lines on standard output, and those on standard error."""

    said: list[str]
    noted: list[str]
    status: int = 0

    @property
    def digest(self) -> str:
        return image_runs.digest_of(self.said[0])


def rebase(image: str, onto: str, *to: str, old: str = "", force: bool = False) -> Done:
    """Rebase *image* from the base *old*; raises GeneratorError."""
    done = Done([], [])
    words = {"image": image, "onto": onto, "from": old, "to": list(to), "force": force, "plain_http": []}
    moving.rebase(words, say=done.said.append, note=done.noted.append)
    return done


def index(*images: str, to: Sequence[str], annotation: Sequence[str] = (), force: bool = False) -> Done:
    """Make an index of *images*; raises GeneratorError."""
    done = Done([], [])
    words = {"image": list(images), "to": list(to), "annotation": list(annotation), "force": force, "plain_http": []}
    indexing.index(words, say=done.said.append, note=done.noted.append)
    return done


def outdated(*images: str, as_json: bool = False) -> Done:
    """Judge the bases of *images*; raises GeneratorError."""
    done = Done([], [])
    status = judging.outdated(images, as_json, (), say=done.said.append, note=done.noted.append)
    return done._replace(status=status)


class Documents(NamedTuple):
    """An image of a layout: its manifest and its configuration."""

    manifest: Any
    config: Any

    @property
    def layers(self) -> list[str]:
        return [each["digest"] for each in self.manifest["layers"]]

    @property
    def diff_ids(self) -> list[str]:
        found: list[str] = self.config["rootfs"]["diff_ids"]
        return found


def top(layout: Path, name: str | None = None) -> Any:
    """Return the document that the name leads to, or the layout's only image."""
    named = image_runs.named(layout)
    return image_runs.document(layout, named[name if name is not None else next(iter(named))]["digest"])


def documents(layout: Path, digest: str = "") -> Documents:
    """Return the image of a layout with *digest*, or its only one."""
    manifest = image_runs.document(layout, digest) if digest else top(layout)
    return Documents(manifest, image_runs.document(layout, manifest["config"]["digest"]))


def base(folder: Path, layers: Sequence[bytes], version: str = "", **config: Any) -> Layout:
    """Return a layout with a base like Microsoft's, not written yet."""
    layout = Layout(folder, layers)
    layout.config["config"] = {"Cmd": [r"c:\windows\system32\cmd.exe"], "User": "ContainerUser", **config}
    layout.config["history"] = [{"created_by": f"Apply image {version}"} for _ in layers]
    if version:
        layout.config["os.version"] = version
        layout.platform = {"architecture": "amd64", "os": "windows", "os.version": version}
    return layout


def indexed(folder: Path, *layouts: Layout, annotations: Mapping[str, str] = {}) -> str:
    """Write the images of *layouts* as one index called ``t`` into a layout in *folder*, and return its name."""
    entries = []
    for each in layouts:
        each.folder = folder
        each.write()
        entries += [
            {key: value for key, value in entry.items() if key != "annotations"} for entry in each.index["manifests"]
        ]
    whole: dict[str, Any] = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json"}
    whole |= {"manifests": entries} | ({"annotations": dict(annotations)} if annotations else {})
    last = Layout(folder, [])
    data = last.blob(json.dumps(whole).encode()).read_bytes()
    entry = Layout.point(data, whole["mediaType"]) | {"annotations": {"org.opencontainers.image.ref.name": "t"}}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    return f"oci:{folder}:t"


def on(base_: Layout, folder: Path, layers: Sequence[bytes], **config: Any) -> Layout:
    """Return a layout with an image on a base, not written yet."""
    made = Layout(folder, layers)
    made.blobs = [*base_.blobs, *made.blobs]
    made.manifest["layers"] = [*base_.manifest["layers"], *made.manifest["layers"]]
    made.config = json.loads(json.dumps(base_.config))
    made.config["rootfs"]["diff_ids"] += [image_runs.sha256(each) for each in layers]
    made.config["history"] += [{"created_by": "own"} for _ in layers]
    made.config["config"] |= config
    made.platform = base_.platform
    return made
