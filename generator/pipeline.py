# SPDX-License-Identifier: Apache-2.0
"""The one place that knows the order of the stages: specification, hives, tar, blob, modules, manifest.

Everything is made in memory and judged before the first file is written, so an error leaves the tree
as it was. Modules of heavy stages are imported by the stage that needs them: a fresh tree needs none.
"""

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from . import console, files, manifest
from .console import Say
from .errors import EXIT_OK, EXIT_STALE, GeneratorError
from .manifest import MANIFEST, Output, Record, Tree, blob_path

if TYPE_CHECKING:
    from pathlib import Path

    from .oci.blob import Blob
    from .spec.layer import Layer

# Libraries whose version can change an output's bytes; what they make is compared, not the version.
TOOLS = ("jinja2", "zopfli")


class _Work:
    """What one run has to do, and what it has made so far."""

    def __init__(
        self, tree: Tree, expected: dict[str, Output], records: dict[str, Record], chosen: set[str], build: list[str]
    ) -> None:
        self.tree = tree
        self.expected = expected
        self.records = records
        self.chosen = chosen  # paths of outputs that this run looks after
        self.build = build  # layers whose blob the engine must make
        self.blobs: dict[str, Blob] = {}
        self.made: dict[str, bytes] = {}


def check(
    root: "Path | str",
    *,
    as_json: bool,
    say: Say = console.say,
    note: Say = console.note,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Say what is stale below *root*; return 0 if nothing is, else 1."""
    with files.lock(root, note, shared=True):
        tree = Tree(root)
        records, _, damage = manifest.read(root)
        findings = manifest.stale(tree, tree.outputs(), records)
    for line in manifest.report(findings, damage, as_json, os.environ if environment is None else environment):
        say(line)
    return EXIT_STALE if findings or damage else EXIT_OK


def generate(
    root: "Path",
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
    with files.lock(root, note):
        if not dry_run:
            files.sweep(root / "output")
        tree = Tree(root)
        expected = tree.outputs()
        if only is not None and only not in tree.layers():
            raise GeneratorError(f"--only {only}: no such layer; use one of {', '.join(tree.layers())}")
        records, tools, damage = manifest.read(root)
        findings = manifest.stale(tree, expected, records)
        installed = tool_versions()
        # A tool that is not here can make no other bytes.
        other = {tool for tool, version in installed.items() if version not in {tools.get(tool), "unknown"}}
        if not (findings or damage or force or other):
            say("fresh: nothing to do")
            return EXIT_OK
        chosen = {path for path, output in expected.items() if only is None or output.layer == only}
        work = _Work(tree, expected, records, chosen, [])
        work.build = [o.layer for o in expected.values() if o.layer and _must_build(work, o, force)]
        everything = force or "jinja2" in other
        if dry_run:
            _say_plan(work, findings, damage, everything, say)
            return EXIT_OK
        if not root.joinpath("output").is_dir() and root.joinpath("output").exists():
            raise GeneratorError("output: a file stands in the place of the folder; move it away")
        _make_blobs(work, root, engine, note)
        if "zopfli" in other and not damage:
            _compress_again(work)
        _make_modules(work, root, note, everything=everything)
        _store(work, root, tools, installed, only, say=say, note=note)
        return EXIT_OK


def rebuild(tree: Tree, root: "Path", engine: str | None, note: Say) -> "tuple[dict[str, bytes], dict[str, Blob]]":
    """Return every output made anew from source in memory, by path, and the blobs by layer; writes nothing."""
    expected = tree.outputs()
    work = _Work(tree, expected, {}, set(expected), tree.layers())
    _make_blobs(work, root, engine, note)
    _make_modules(work, root, note, everything=True)
    return work.made, work.blobs


def compare(
    root: "Path", engine: str | None, note: Say
) -> "tuple[list[manifest.Finding], str, dict[str, bytes], dict[str, Blob]]":
    """Rebuild everything in memory and compare it with the outputs byte for byte; whoever calls holds the lock.

    Returns the findings, what is wrong with the manifest, and what rebuild returns.
    """
    tree = Tree(root)
    records, _, damage = manifest.read(root)
    findings = manifest.stale(tree, tree.outputs(), records)
    named = {path for finding in findings for path in finding.outputs}
    made, blobs = rebuild(tree, root, engine, note)
    findings += [
        manifest.Finding(path, "not what its sources make", [path])
        for path, data in made.items()
        if path not in named and manifest.content_hash(path, data) != tree.hash(path)
    ]
    return findings, damage, made, blobs


def check_rebuilt(
    root: "Path", engine: str | None, *, as_json: bool, say: Say = console.say, note: Say = console.note
) -> int:
    """Say what is stale, or not what its sources make; return 0 if nothing is, else 1."""
    with files.lock(root, note, shared=True):
        findings, damage, _, _ = compare(root, engine, note)
    for line in manifest.report(findings, damage, as_json, os.environ):
        say(line)
    return EXIT_STALE if findings or damage else EXIT_OK


def _must_build(work: _Work, output: Output, force: bool) -> bool:
    """Tell whether *output* is a blob that only the engine can bring up to date."""
    if output.language is not None or output.path not in work.chosen:
        return False
    record = work.records.get(output.path)
    if force or record is None or work.tree.hash(output.path) != record.sha256:
        return True
    return any(True for _ in manifest.changes(work.tree, output, record))


def _make_blobs(work: _Work, root: "Path", engine: str | None, note: Say) -> None:
    """Fill work.blobs: what the engine must make is made, the rest is read from its committed file."""
    from .oci import blob as layers

    if work.build:
        from concurrent.futures import ThreadPoolExecutor

        tars = dict(_built(root, work.build, engine, note))
        with ThreadPoolExecutor() as pool:  # zopfli takes most of a run, and lets go of Python's lock
            for name, data in zip(tars, pool.map(layers.compress, tars.values()), strict=True):
                work.blobs[name] = layers.read_blob(data, blob_path(name))
                work.made[blob_path(name)] = data
    for name in work.tree.layers():
        if name not in work.blobs and any(work.expected[p].layer == name for p in work.chosen):
            path = blob_path(name)
            work.blobs[name] = layers.read_blob((root / path).read_bytes(), path)


def _built(root: "Path", names: Iterable[str], engine: str | None, note: Say) -> Iterable[tuple[str, bytes]]:
    """Yield the name and tar of each layer in *names*, all their hives built in one run of the engine."""
    from .builder import choose
    from .builder.accept import accept
    from .oci.tar import write_tar
    from .spec import layer as spec

    loaded: list[Layer] = []
    for name in names:
        shown = f"{manifest.LAYERS}/{name}.toml"
        loaded.append(spec.load(root / shown, shown))
    wanted = {f"{layer.name}:{path}": hive for layer in loaded for path, hive in spec.hives(layer)}
    hives = choose.build_hives(choose.select(engine, note), wanted, note) if wanted else {}
    for name, hive in wanted.items():
        accept(name, hives[name], hive)
    for layer in loaded:
        contents = (
            (f.path, f.content if isinstance(f.content, bytes) else hives[f"{layer.name}:{f.path}"])
            for f in layer.files
        )
        yield layer.name, write_tar(contents)


def _compress_again(work: _Work) -> None:
    """Compress committed layers anew: another zopfli may make another blob of the same tar."""
    from .oci import blob as layers

    for name, blob in work.blobs.items():
        if blob_path(name) not in work.made:
            data = layers.compress(blob.tar)
            if data != blob.compressed:
                work.blobs[name] = layers.read_blob(data, blob_path(name))
                work.made[blob_path(name)] = data


def _make_modules(work: _Work, root: "Path", note: Say, *, everything: bool) -> None:
    """Render the chosen outputs that are stale, or all of them, into work.made."""
    stale = [
        (o.language, o)
        for p, o in work.expected.items()
        if p in work.chosen and o.language and (everything or _is_stale(work, o))
    ]
    if not stale:
        return
    from .languages import render

    note(f"rendering {len(stale)} files")
    for language, output in stale:
        folder = root / "templates" / language
        if output.layer is None:
            text = render.render(folder, output.template, {})
        else:
            options = render.default_options(language, output.layer)
            digest = work.tree.template_digest(language)
            text = render.module(folder, output.template, output.layer, work.blobs[output.layer], options, digest)
        work.made[output.path] = text.encode("utf-8")


def _is_stale(work: _Work, output: Output) -> bool:
    record = work.records.get(output.path)
    if record is None or work.tree.hash(output.path) != record.sha256:
        return True
    if output.layer is not None and blob_path(output.layer) in work.made:
        return True
    return any(True for _ in manifest.changes(work.tree, output, record))


def _store(
    work: _Work,
    root: "Path",
    tools: Mapping[str, str],
    installed: Mapping[str, str],
    only: str | None,
    *,
    say: Say,
    note: Say,
) -> None:
    """Write what differs, remove what is left over, and the manifest last."""
    hashes = {path: manifest.content_hash(path, data) for path, data in work.made.items()}
    changed = {path: data for path, data in work.made.items() if hashes[path] != work.tree.hash(path)}
    records = {path: record for path, record in work.records.items() if path in work.expected or only is not None}
    for path, digest in hashes.items():
        records[path] = manifest.record_of(work.tree, work.expected[path], digest, hashes)
    removed = [] if only is not None else _removable(work, root, note)
    # Another version that makes the same bytes is no reason to touch the manifest; one that made some is not yet all's.
    same_bytes = not any(p in work.records and work.records[p].sha256 != h for p, h in hashes.items())
    document = manifest.write(records, tools if tools and (same_bytes or only is not None) else installed)
    target = root / MANIFEST
    writes = {root / path: data for path, data in changed.items()}
    if not target.is_file() or target.read_bytes().replace(b"\r\n", b"\n") != document:
        writes[target] = document
    files.replace(writes, last=target, remove=[root / path for path in removed])
    for path in removed:
        say(f"removed {path}")
    if work.made and not changed:
        say(f"made {len(work.made)} files: each is as committed")
    for file in writes:
        say(f"wrote {file.relative_to(root).as_posix()}")
    if not (work.made or removed or writes):
        say("fresh: nothing to do" + ("" if only is None else f" for {only}"))


def _removable(work: _Work, root: "Path", note: Say) -> list[str]:
    """Return the left-over files that this program made; what it did not make is named and left alone."""
    from .languages import provenance

    removable = []
    for path in manifest.leftovers(work.tree, work.expected):
        file = root / path
        ours = path in work.records or provenance.read(file.read_text("utf-8", "surrogateescape")) is not None
        if ours:
            removable.append(path)
        else:
            note(f"{path}: not made here; move it out of output/, which holds generated files only")
    return removable


def _say_plan(work: _Work, findings: list[manifest.Finding], damage: str, everything: bool, say: Say) -> None:
    for line in manifest.report(findings, damage, False, {})[:-1]:
        say(line)
    for path in sorted(work.chosen):
        output = work.expected[path]
        if output.layer in work.build and output.language is None:
            say(f"would build {path} with an engine")
        elif output.language and (everything or _is_stale(work, output) or output.layer in work.build):
            say(f"would render {path}")


def tool_versions() -> dict[str, str]:
    """Return the installed version of each tool, read off the name of its metadata folder without importing it."""
    import importlib.util
    import re
    from pathlib import Path

    versions = {}
    for tool in TOOLS:
        spec = importlib.util.find_spec(tool)
        names = os.listdir(Path(spec.origin).parents[1]) if spec and spec.origin else []  # noqa: PTH208 - three times as fast
        # Wheels spell the name as they like: Jinja2-3.1.2.dist-info, jinja2-3.1.6.dist-info.
        found = (re.fullmatch(rf"{tool}-(.+?)(-py\d.*)?\.(dist|egg)-info", name, re.IGNORECASE) for name in names)
        versions[tool] = next((match[1] for match in found if match), "unknown")
    return versions
