# SPDX-License-Identifier: Apache-2.0
"""The one place that knows the order of the stages: specification, hives, tar, blob, modules, manifest.

One function makes everything in memory from what it is given; ``generate`` writes the difference to what is
committed, ``check`` names it. Every error comes before the first file is written, so it leaves the tree as it
was. Modules of heavy stages are imported by the function that needs them: an unchanged tree needs none.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from ..base import console, files, home
from ..base.console import Say
from ..base.errors import EXIT_OK, EXIT_STALE, GeneratorError
from ..base.home import LAYERS
from ..base.reading import read_file
from . import manifest, unchanged
from .manifest import Finding, Record, Seen, blob_path
from .unchanged import MANIFEST

if TYPE_CHECKING:
    from pathlib import Path

    from ..builder.choose import Engine
    from ..hives.model import Hive
    from ..layerspec.layer import Layer
    from ..oci.blob import Blob

Build = Callable[["Mapping[str, Hive]"], Mapping[str, bytes]]
Documents = Callable[["Path", "Mapping[str, Blob]"], Mapping[str, bytes]]


class Made(NamedTuple):
    """Everything made anew: each output's bytes and layer (None: all layers') by path, and each layer's blob.

    *new* are the layers whose committed blob could not stay.
    """

    files: dict[str, bytes]
    layers: dict[str, str | None]
    blobs: "dict[str, Blob]"
    new: list[str]


def specified(root: "Path") -> "list[Layer]":
    """Return the checked specification of each layer of the checkout *root*, by name."""
    from ..layerspec.layer import load

    return [load(root / f"{LAYERS}/{name}.toml", f"{LAYERS}/{name}.toml") for name in manifest.layers(root)]


def plans(layers: "Iterable[Layer]") -> "dict[str, Hive]":
    """Return what each hive of *layers* is to hold, by the layer's name and the hive's path."""
    from ..layerspec.layer import hives

    return {f"{layer.name}:{path}": hive for layer in layers for path, hive in hives(layer)}


def make(
    root: "Path", layers: "list[Layer]", build: Build, documents: Documents, *, force: bool = False, note: Say
) -> Made:
    """Make every output of the checkout *root* in memory; writes nothing.

    *build* returns hives by id for the plans that it is given; *documents* returns the documents that show the
    layers, by path, from the folder of templates and the blobs by name. A committed blob that unpacks to the right tar
    stays, unless *force*: another processor's zopfli may compress the same tar otherwise.
    """
    from concurrent.futures import ThreadPoolExecutor

    from ..languages.render import modules
    from ..oci.blob import compress, read_blob
    from ..oci.tar import write_tar

    hives = build(plans(layers))
    tars = {
        layer.name: write_tar(
            (f.path, f.content if isinstance(f.content, bytes) else hives[f"{layer.name}:{f.path}"])
            for f in layer.files
        )
        for layer in layers
    }
    blobs = {} if force else {name: blob for name, tar in tars.items() if (blob := _committed(root, name, tar))}
    new = [name for name in tars if name not in blobs]
    if new:
        note(f"compressing {len(new)} layer{'s' * (len(new) != 1)}")
    with ThreadPoolExecutor() as pool:  # zopfli takes most of a run, and lets go of Python's lock
        for name, data in zip(new, pool.map(compress, [tars[name] for name in new]), strict=True):
            blobs[name] = read_blob(data, blob_path(name))
    outputs: list[tuple[str, str | None, bytes]] = [(blob_path(name), name, blobs[name].compressed) for name in tars]
    outputs += modules(root / "templates", {name: blobs[name] for name in tars})
    outputs += [(path, None, data) for path, data in documents(root / "templates", blobs).items()]
    return Made({p: data for p, _, data in outputs}, {p: layer for p, layer, _ in outputs}, blobs, new)


def _committed(root: "Path", name: str, tar: bytes) -> "Blob | None":
    """Return the committed blob of layer *name* if it unpacks to *tar*."""
    import zlib

    from ..oci.blob import GZIP_HEADER, read_blob

    path = blob_path(name)
    try:
        blob = read_blob(read_file(root / path, path), path)
    except GeneratorError:
        return None
    # The header alone could carry more than the tar, and so could a stream longer than zlib's best, which zopfli beats.
    sound = blob.tar == tar and blob.compressed.startswith(GZIP_HEADER)
    return blob if sound and len(blob.compressed) <= len(zlib.compress(tar, 9, wbits=31)) else None


def build_by_layout(hives: "Mapping[str, Hive]") -> dict[str, bytes]:
    """Build hives in this process, byte for byte as hivex lays them out."""
    from ..hives.layout import lay_out

    return {name: lay_out(hive) for name, hive in hives.items()}


def build_by(engine: "Engine", note: Say) -> Build:
    """Return what has *engine* build hives, and refuses every one that is not as this process builds it too."""
    from ..builder import choose

    return lambda hives: choose.build_hives(engine, hives, note) if hives else {}


def compare(root: "Path", seen: Seen, record: Record, damage: str, made: Made) -> list[Finding]:
    """Return what is not as it should be: each output that is not what was *made*, and what nothing makes."""
    findings = [Finding(MANIFEST, damage)] if damage else []
    findings += seen.strange
    for path, data in made.files.items():
        found = seen.outputs.get(path)
        if found != unchanged.content_hash(path, data):
            findings.append(Finding(path, _why(root, path, found, record)))
    for path in sorted(seen.outputs.keys() - made.files):
        ours = _is_ours(root, path, seen, record)
        findings.append(Finding(path, "left over: no layer or template makes it" if ours else manifest.STRANGE))
    return findings


def _why(root: "Path", path: str, found: str | None, record: Record) -> str:
    """Say why an output is not as it was made now; *found* is its hash, None where there is no such file."""
    if found is None:
        if (root / path).is_dir():
            return "a directory stands in its place"
        return "deleted" if path in record.outputs else "not generated yet"
    if found == record.outputs.get(path) or _is_sealed(root / path):
        return "not what its sources make"
    return "edited by hand, or half written"


def _is_ours(root: "Path", path: str, seen: Seen, record: Record) -> bool:
    """Tell whether an output that nothing makes now was made by this program."""
    return seen.outputs[path] == record.outputs.get(path) or _is_sealed(root / path)


def _is_sealed(file: "Path") -> bool:
    """Tell whether a module is as some run made it."""
    from ..languages import provenance

    found = provenance.read(file.read_bytes().decode("utf-8", "surrogateescape"))
    return found is not None and found[1]


def _other_bytecode() -> list[Finding]:
    """Find modules of this program that are not what their source compiles to: Python believes a time and a size."""
    import importlib.util
    import marshal
    import struct
    import sys
    from pathlib import Path

    found = []
    for name, module in sorted(sys.modules.items()):
        spec = getattr(module, "__spec__", None)
        if name.partition(".")[0] != "generator" or spec is None or not (spec.cached and spec.origin):
            continue
        try:
            cached, source = Path(spec.cached).read_bytes(), Path(spec.origin).read_bytes()
            changed = int(Path(spec.origin).stat().st_mtime) & 0xFFFFFFFF
        except OSError:
            continue
        flags, time, size = struct.unpack_from("<III", cached, 4) if len(cached) > 16 else (2, 0, 0)
        believed = flags == 1 or (flags == 0 and (time, size) == (changed, len(source) & 0xFFFFFFFF))
        if believed and cached[:4] == importlib.util.MAGIC_NUMBER:
            made = compile(source, spec.origin, "exec", dont_inherit=True)
            if marshal.loads(cached[16:]) != made:  # noqa: S302 - Python has run it already
                path = spec.origin[spec.origin.rindex("generator") :].replace(os.sep, "/")
                found.append(Finding(path, "Python runs other bytecode than it compiles to; remove __pycache__ there"))
    return found


def check(
    root: "Path | str",
    documents: Documents,
    *,
    say: Say = console.say,
    note: Say = console.note,
    full: bool = False,
    as_json: bool = False,
    rebuild: bool = False,
    engine: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Say what is stale below *root*; return 0 if nothing is, else 1.

    Where nothing changed since the manifest was written, that is all there is to tell, unless *full* or CI=true.
    Else everything is made again in memory and compared; *rebuild* has an *engine* build the hives for that.
    """
    environment = os.environ if environment is None else environment
    if engine is not None and not rebuild:
        raise GeneratorError("--engine: means nothing without --rebuild")
    from pathlib import Path

    from . import clone

    with files.lock(root, note, shared=True):
        seen = manifest.look(root)
        record, damage = manifest.read(root)
        findings: list[Finding] = []
        outputs: Iterable[str] = ()
        ci = environment.get("CI") == "true"
        if rebuild or full or ci or not unchanged.is_as_recorded(str(root), *seen[:3]):
            try:
                findings, outputs = _made_again(
                    Path(root), documents, seen, record, damage, engine if rebuild else "", note
                )
            except ModuleNotFoundError as error:
                # Without what making needs, the manifest can tell what is stale, but not that something is fresh.
                if rebuild or full or ci or damage or manifest.changed(record, seen):
                    raise GeneratorError(
                        f"{error.name} is not installed, without which nothing can be made to compare with; "
                        f"{home.REMEDY}"
                    ) from error
                findings = [*seen.strange, *manifest.differing(record, seen)]
        findings += clone.findings(Path(root), seen, record, outputs, note)
    because = manifest.changed(record, seen) if findings and not damage else []
    for line in manifest.report(findings, because, as_json, environment):
        say(line)
    return EXIT_STALE if findings else EXIT_OK


def _made_again(
    root: "Path", documents: Documents, seen: Seen, record: Record, damage: str, engine: str | None, note: Say
) -> tuple[list[Finding], Iterable[str]]:
    """Make everything again, by *engine* (None: the first that works; empty: none); return findings and outputs."""
    build: Build = build_by_layout
    if engine != "":
        from ..builder import choose

        build = build_by(choose.select(engine, note, witness=True), note)
    made = make(root, specified(root), build, documents, note=note)
    return compare(root, seen, record, damage, made) + _other_bytecode(), made.files


def generate(
    root: "Path",
    documents: Documents,
    *,
    say: Say = console.say,
    note: Say = console.note,
    engine: str | None = None,
    force: bool = False,
    only: str | None = None,
    dry_run: bool = False,
) -> int:
    """Bring the outputs below *root* up to date; return 0.

    *only* is a layer's name. Raises GeneratorError, with every output as it was.
    """
    if engine is not None:
        from ..builder import choose

        choose.check_name(engine)
    with files.lock(root, note):
        if only is not None and only not in manifest.layers(root):
            raise GeneratorError(f"--only {only}: no such layer; use one of {', '.join(manifest.layers(root))}")
        if not dry_run:
            files.sweep(root / "output")
            files.sweep(root / "docs", deep=False)
        seen = manifest.look(root)
        record, damage = manifest.read(root)
        if not force and unchanged.is_as_recorded(str(root), *seen[:3]):
            for line in _summary(root):
                say(line)
            return EXIT_OK
        for finding in seen.strange:
            if not finding.file.startswith(("output/", "docs/")):
                raise GeneratorError(str(finding))
        layers = specified(root)
        made = make(root, layers, build_by_layout, documents, force=force, note=note)
        chosen = [path for path, layer in made.layers.items() if only in {None, layer}]
        if not force:
            chosen = [p for p in chosen if unchanged.content_hash(p, made.files[p]) != seen.outputs.get(p)]
        if dry_run:
            from . import clone

            findings = compare(root, seen, record, damage, made)
            findings += clone.findings(root, seen, record, made.files, note)
            for line in manifest.report(findings, [], False, {}):
                if line.startswith("stale: "):
                    say(line)
            for path in chosen:
                say(f"would write {path}")
            return EXIT_OK
        _have_witness(
            [layer for layer in layers if layer.name in made.new and only in {None, layer.name}], engine, note
        )
        _store(root, seen, record, made, chosen, all_layers=only is None, say=say, note=note)
        return EXIT_OK


def _have_witness(layers: "list[Layer]", engine: str | None, note: Say) -> None:
    """Have an engine build the hives of *layers* as well; raises GeneratorError where it builds others."""
    from ..builder import choose

    if wanted := plans(layers):
        build_by(choose.select(engine, note), note)(wanted)


def _store(
    root: "Path",
    seen: Seen,
    record: Record,
    made: Made,
    chosen: list[str],
    *,
    all_layers: bool,
    say: Say,
    note: Say,
) -> None:
    """Write what differs, remove what is left over, and the manifest last."""
    hashes = {path: unchanged.content_hash(path, data) for path, data in made.files.items()}
    writes = {root / path: made.files[path] for path in chosen if hashes[path] != seen.outputs.get(path)}
    removed = _removable(root, seen, record, made, note) if all_layers else []
    # What is said of outputs that were not chosen holds too: it is what they have to be, not what they are.
    document = unchanged.document(seen.inputs, hashes, unchanged.jinja2_version() or record.jinja2)
    target = root / MANIFEST
    if not target.is_file() or read_file(target, MANIFEST).replace(b"\r\n", b"\n") != document:
        writes[target] = document
    files.replace(writes, last=target, remove=[root / path for path in removed], below=root)
    for path in removed:
        say(f"removed {path}")
    if chosen and not removed and writes.keys() <= {target}:
        say(f"made {len(chosen)} file{'s' * (len(chosen) != 1)}: each is as committed")
    for file in writes:
        say(f"wrote {file.relative_to(root).as_posix()}")
    if not (chosen or removed or writes):
        say("fresh: nothing to do")


def _removable(root: "Path", seen: Seen, record: Record, made: Made, note: Say) -> list[str]:
    """Return the left-over files that this program made; what it did not make is named and left alone."""
    removable = []
    for path in sorted(seen.outputs.keys() - made.files):
        if _is_ours(root, path, seen, record):
            removable.append(path)
        else:
            note(f"{path}: {manifest.STRANGE}")
    return removable


def _summary(root: "Path") -> list[str]:
    """Return what to tell somebody whose checkout is fresh: what there is, what to do with it, how to see it made."""
    sizes = [f"{name} ({os.stat(f'{root}/{blob_path(name)}').st_size:,} bytes)" for name in manifest.layers(root)]  # noqa: PTH116
    # What the table of languages says, without importing it.
    languages = sorted({*os.listdir(f"{root}/templates")} - {"report"})  # noqa: PTH208
    return [
        "fresh: nothing to do",
        f"layers: {', '.join(sizes)}; as modules in {', '.join(languages)} below output/",
        "to use one: ./invokew vendor LANGUAGE LAYER DEST",
        "to see them made, in a second or two: ./invokew generate --force",
    ]
