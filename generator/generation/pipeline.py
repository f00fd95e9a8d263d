# SPDX-License-Identifier: Apache-2.0
"""Run the stages in order: specification, hives, tar, blob, modules, manifest.

make() makes everything in memory; ``generate`` writes the differences from the committed files, ``check-stale``
reports them. Every error comes before the first write, so it leaves every file unchanged. Heavy modules are imported
by the functions that need them, since an unchanged checkout needs none.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from ..base import console, files, home
from ..base.console import Say
from ..base.errors import EXIT_OK, EXIT_STALE, GeneratorError, counted
from ..base.home import LAYERS
from ..base.reading import read_file
from . import manifest, unchanged
from .compare import compare, is_ours
from .manifest import Finding, Record, Seen, blob_path
from .unchanged import MANIFEST

if TYPE_CHECKING:
    from pathlib import Path

    from ..builder.choose import Engine
    from ..hives.model import Hive
    from ..layerspec.layer import LayerSpec
    from ..oci.blob import Blob

Build = Callable[["Mapping[str, Hive]"], Mapping[str, bytes]]
Documents = Callable[["Path", "Mapping[str, Blob]"], Mapping[str, bytes]]


class MadeOutputs(NamedTuple):
    """All outputs made anew: bytes and layer (None: all layers') by path, and each layer's blob.

    *new* are the layers whose committed blob is replaced.
    """

    files: dict[str, bytes]
    layers: dict[str, str | None]
    blobs: "dict[str, Blob]"
    new: list[str]


class CheckOptions(NamedTuple):
    """The options of ``check-stale``; *engine* is for *rebuild*, None for the first that works."""

    full: bool = False
    as_json: bool = False
    rebuild: bool = False
    engine: str | None = None


class GenerateOptions(NamedTuple):
    """The options of ``generate``; *engine* confirms new hives (None: the first that works), *only* is a layer."""

    engine: str | None = None
    force: bool = False
    only: str | None = None
    dry_run: bool = False


_CHECK, _GENERATE = CheckOptions(), GenerateOptions()


class State(NamedTuple):
    """A locked checkout: its files, and its manifest with the reason if that cannot be used."""

    root: "Path"
    seen: Seen
    record: Record
    damage: str


def read_state(root: "Path") -> State:
    """Read the files and the manifest of the checkout *root*, whose lock the caller holds."""
    return State(root, manifest.look(root), *manifest.read(root))


def differences(state: State, made: MadeOutputs, note: Say) -> list[Finding]:
    """Return a finding for each file that differs from *made*, or that a clone would have otherwise."""
    from . import clone

    findings = compare(*state, made.files)
    return findings + clone.findings(state.root, state.seen, state.record, made.files, note)


def specified(root: "Path") -> "list[LayerSpec]":
    """Return the checked specification of each layer of the checkout *root*, sorted by name."""
    from ..layerspec.layer import load

    return [load(root / f"{LAYERS}/{name}.toml", f"{LAYERS}/{name}.toml") for name in manifest.layers(root)]


def plans(layers: "Iterable[LayerSpec]") -> "dict[str, Hive]":
    """Return the keys and values of each hive of *layers*, by the id LAYER:PATH."""
    from ..layerspec.layer import hives

    return {f"{layer.name}:{path}": hive for layer in layers for path, hive in hives(layer)}


def make(
    root: "Path", layers: "list[LayerSpec]", build: Build, documents: Documents, *, force: bool = False, note: Say
) -> MadeOutputs:
    """Make every output of the checkout *root* in memory; write nothing.

    *build* returns the bytes of hives by id; *documents* returns the documents about the layers, by path, from the
    folder of templates and the blobs by name. Unless *force*, a committed blob that unpacks to the right tar stays:
    zopfli on another processor may compress the same tar to other bytes.
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
        note(f"compressing {counted(len(new), 'layer')}")
    with ThreadPoolExecutor() as pool:  # zopfli takes most of the time and releases the GIL
        for name, data in zip(new, pool.map(compress, [tars[name] for name in new]), strict=True):
            blobs[name] = read_blob(data, blob_path(name))
    outputs: list[tuple[str, str | None, bytes]] = [(blob_path(name), name, blobs[name].compressed) for name in tars]
    outputs += modules(root / "templates", {name: blobs[name] for name in tars})
    outputs += [(path, None, data) for path, data in documents(root / "templates", blobs).items()]
    return MadeOutputs({p: data for p, _, data in outputs}, {p: layer for p, layer, _ in outputs}, blobs, new)


def _committed(root: "Path", name: str, tar: bytes) -> "Blob | None":
    """Return the committed blob of layer *name* if it unpacks to *tar*."""
    import zlib

    from ..oci.blob import GZIP_HEADER, read_blob

    path = blob_path(name)
    try:
        blob = read_blob(read_file(root / path, path), path)
    except GeneratorError:
        return None
    # A header or a stream longer than zlib's best, which zopfli beats, could hide other content.
    sound = blob.tar == tar and blob.compressed.startswith(GZIP_HEADER)
    return blob if sound and len(blob.compressed) <= len(zlib.compress(tar, 9, wbits=31)) else None


def build_by_layout(hives: "Mapping[str, Hive]") -> dict[str, bytes]:
    """Build hives in this process, byte for byte as hivex lays them out."""
    from ..hives.layout import lay_out

    return {name: lay_out(hive) for name, hive in hives.items()}


def build_by(engine: "Engine", note: Say) -> Build:
    """Return a function that builds hives with *engine* and refuses those that differ from this process's."""
    from ..builder import choose

    return lambda hives: choose.build_hives(engine, hives, note) if hives else {}


def check(
    root: "Path | str",
    documents: Documents,
    options: CheckOptions = _CHECK,
    *,
    say: Say = console.say,
    note: Say = console.note,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Report stale files below *root*; return 0 if there are none, else 1.

    If all files match the manifest, they are fresh, unless the options or CI=true ask for more. Otherwise
    everything is made again in memory and compared.
    """
    environment = os.environ if environment is None else environment
    if options.engine is not None and not options.rebuild:
        raise GeneratorError("--engine: needs --rebuild; hint: add --rebuild")
    from pathlib import Path

    with files.lock(root, note, shared=True):
        state = read_state(Path(root))
        everything = options.rebuild or options.full or environment.get("CI") == "true"
        findings = _findings(state, documents, options.engine if options.rebuild else "", everything, note)
    because = manifest.changed(state.record, state.seen) if findings and not state.damage else []
    for line in manifest.report(findings, because, options.as_json, environment):
        say(line)
    return EXIT_STALE if findings else EXIT_OK


def _findings(state: State, documents: Documents, engine: str | None, everything: bool, note: Say) -> list[Finding]:
    """Return the findings of the check; unless *everything*, trust a manifest that matches all files.

    The hives are built by *engine* (None: the first that works; "": this process).
    """
    from . import clone

    root, seen, record, damage = state
    if not everything and unchanged.is_as_recorded(str(root), *seen[:3]):
        return clone.findings(root, seen, record, (), note)
    try:
        build: Build = build_by_layout
        if engine != "":
            from ..builder import choose

            build = build_by(choose.select(engine, note, witness=True), note)
        return differences(state, make(root, specified(root), build, documents, note=note), note)
    except ModuleNotFoundError as error:
        # Without the packages, the manifest can prove that something is stale, but not that it is fresh.
        if everything or damage or manifest.changed(record, seen):
            raise GeneratorError(
                f"{error.name}: not installed, so outputs cannot be rebuilt for comparison; hint: {home.REMEDY}"
            ) from error
        findings = [*seen.strange, *manifest.differing(record, seen)]
        return findings + clone.findings(root, seen, record, (), note)


def generate(
    root: "Path",
    documents: Documents,
    options: GenerateOptions = _GENERATE,
    *,
    say: Say = console.say,
    note: Say = console.note,
) -> int:
    """Bring the outputs below *root* up to date; return 0. Raises GeneratorError, with every output unchanged."""
    only = options.only
    if options.engine is not None:
        from ..builder import choose

        choose.check_name(options.engine)
    with files.lock(root, note):
        if only is not None and only not in manifest.layers(root):
            raise GeneratorError(f"--only {only}: unknown layer; hint: use one of {', '.join(manifest.layers(root))}")
        if not options.dry_run:
            files.sweep(root / "output")
            files.sweep(root / "docs", deep=False)
        state = read_state(root)
        fresh = not options.force and unchanged.is_as_recorded(str(root), *state.seen[:3])
        for line in _summary(root) if fresh else _update(state, documents, options, note):
            say(line)
        return EXIT_OK


def _update(state: State, documents: Documents, options: GenerateOptions, note: Say) -> list[str]:
    """Make everything and, unless it is a dry run, write what differs; return the lines that report it."""
    engine, force, only, dry_run = options
    for finding in state.seen.strange:
        if not finding.file.startswith(("output/", "docs/")):
            raise GeneratorError(str(finding))
    layers = specified(state.root)
    made = make(state.root, layers, build_by_layout, documents, force=force, note=note)
    chosen = [path for path, layer in made.layers.items() if only in {None, layer}]
    if not force:
        chosen = [p for p in chosen if unchanged.content_hash(p, made.files[p]) != state.seen.outputs.get(p)]
    if dry_run:
        stale = [f"stale: {finding}" for finding in differences(state, made, note)]
        return stale + [f"would write {path}" for path in chosen]
    # An engine builds new hives, too, and must make the same bytes.
    if hives := plans(one for one in layers if one.name in made.new and only in {None, one.name}):
        from ..builder import choose

        build_by(choose.select(engine, note), note)(hives)
    return _store(state, made, chosen, _removable(state, made, note) if only is None else [])


def _store(state: State, made: MadeOutputs, chosen: list[str], removed: list[str]) -> list[str]:
    """Write the *chosen* files that differ and the manifest last, delete those *removed*; return the report."""
    root = state.root
    hashes = {path: unchanged.content_hash(path, data) for path, data in made.files.items()}
    writes = {root / path: made.files[path] for path in chosen if hashes[path] != state.seen.outputs.get(path)}
    # The manifest records what all outputs should be, also those that were not chosen.
    document = manifest.serialize(state.seen, hashes, unchanged.jinja2_version() or state.record.jinja2)
    target = root / MANIFEST
    if not target.is_file() or read_file(target, MANIFEST).replace(b"\r\n", b"\n") != document:
        writes[target] = document
    files.replace(writes, last=target, remove=[root / path for path in removed], below=root)
    lines = [f"removed {path}" for path in removed]
    if chosen and not removed and writes.keys() <= {target}:
        lines.append(f"made {counted(len(chosen), 'file')}: each is as committed")
    lines += [f"wrote {file.relative_to(root).as_posix()}" for file in writes]
    return lines if chosen or removed or writes else ["fresh: nothing to do"]


def _removable(state: State, made: MadeOutputs, note: Say) -> list[str]:
    """Return the left-over files that this program made; note the others, which stay."""
    removable = []
    for path in sorted(state.seen.outputs.keys() - made.files.keys()):
        if is_ours(state.root, path, state.seen, state.record):
            removable.append(path)
        else:
            note(f"{path}: {manifest.STRANGE}")
    return removable


def _summary(root: "Path") -> list[str]:
    """Return the report for a fresh checkout: the layers, how to use one, how to rebuild."""
    sizes = [f"{name} ({os.stat(f'{root}/{blob_path(name)}').st_size:,} bytes)" for name in manifest.layers(root)]  # noqa: PTH116
    # The same as the table of languages, which is not imported.
    languages = sorted({*os.listdir(f"{root}/templates")} - {"report"})  # noqa: PTH208
    return [
        "fresh: nothing to do",
        f"layers: {', '.join(sizes)}; as modules in {', '.join(languages)} below output/",
        "to use one: ./invokew vendor LANGUAGE LAYER DEST",
        "to rebuild them: ./invokew generate --force",
    ]
