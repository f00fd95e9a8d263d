# SPDX-License-Identifier: Apache-2.0
"""For an auditor: rebuild every output from source, compare, and state what was made from what, with which tools.

Nothing in what is written depends on time or place: the same inputs and tools give the same documents.
"""

import importlib.metadata
import json
import os
import platform
import re
import stat
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from .. import VERSION
from ..base import console, files
from ..base.console import Say
from ..base.errors import EXIT_OK, EXIT_STALE, GeneratorError
from ..base.git import git
from ..base.reading import NO_WAIT
from ..builder import choose, container
from ..builder.choose import Engine
from ..builder.container import ContainerEngine
from ..oci.blob import Blob, compress
from . import clone, manifest, pipeline
from .manifest import blob_path
from .unchanged import content_hash

BUILD_TYPE = "https://winscratch.example/generate/v1"  # the name of how it is done, as SLSA asks for one
_DPKG_QUERY = ("dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package} ${Version} ${Architecture}\\n")
_KEPT = frozenset({".git", "generator", "templates", "output"})  # no document goes into these folders
_STREAMS = {"/dev/stdout": 1, "/dev/stderr": 2}
_NATIVE_PACKAGES = ("libhivex0", "libpython3-stdlib", "python3", "python3-hivex", "python3-minimal")


def verify(
    root: Path,
    documents: pipeline.Documents,
    *,
    say: Say = console.say,
    note: Say = console.note,
    engine: str | None = None,
    provenance: Path | None = None,
    sbom: Path | None = None,
) -> int:
    """Compare every output below *root* with what its sources make; return 0 if all are equal, else 1.

    Writes the statement of *provenance* only if they are, for it would vouch for other bytes.
    """
    _check_targets(root, {"--provenance": provenance, "--sbom": sbom})
    builder = choose.select(engine, note, witness=True)
    with files.lock(root, note, shared=True):
        seen = manifest.look(root)
        record, damage = manifest.read(root)
        made = pipeline.make(root, pipeline.specified(root), pipeline.build_by(builder, note), documents, note=note)
        findings = pipeline.compare(root, seen, record, damage, made)
        findings += clone.findings(root, seen, record, made.files, note)
    tools = _tools(builder)
    for line in _digests(made.files, made.blobs):
        say(line)
    for tool, version in tools.items():
        say(f"{tool} {version}")
    for name, blob in made.blobs.items():
        if compress(blob.tar) != blob.compressed:
            note(f"{blob_path(name)}: unpacks to the right tar; the zopfli here compresses that to other bytes")
    if sbom is not None:
        _write(sbom, "--sbom", _sbom(builder, root))
    for line in manifest.report(findings, [], False, {}):
        say(line)
    if findings:
        if provenance is not None:
            note(f"{provenance}: not written, as the outputs are not what their sources make")
        return EXIT_STALE
    if provenance is not None:
        others = [*_commit(root), *_images(builder)]
        _write(provenance, "--provenance", statement(made.files, seen.inputs, tools, builder, others))
    say(f"verified: {len(made.files)} outputs are what their sources make, byte for byte")
    return EXIT_OK


def _digests(made: dict[str, bytes], blobs: dict[str, Blob]) -> list[str]:
    layers = [f"{name}: {what}" for name, b in blobs.items() for what in (f"diff id {b.diff_id}", f"digest {b.digest}")]
    return [*layers, *(f"{content_hash(path, data)} {path}" for path, data in made.items())]


def _tools(builder: Engine) -> dict[str, str]:
    """Return the version of each tool that has a hand in the bytes; hivex's is the builder's own word."""
    versions = {tool: importlib.metadata.version(tool) for tool in ("jinja2", "zopfli")}
    if isinstance(builder, ContainerEngine):
        versions[builder.name] = builder.version()
    return versions | {"hivex": builder.build({}).hivex, "python": platform.python_version()}


def statement(
    made: Mapping[str, bytes],
    inputs: Mapping[str, str],
    tools: Mapping[str, str],
    builder: Engine,
    others: Iterable[Mapping[str, object]] = (),
) -> dict[str, object]:
    """Return an in-toto Statement v1 with a SLSA Provenance v1 predicate; text is hashed with LF line ends.

    *others* are resource descriptors of what went in beside the files of *inputs*: the commit, the images.
    """

    def described(path: str, digest: str) -> dict[str, object]:
        return {"name": path, "digest": {"sha256": digest.removeprefix("sha256:")}}

    settings = {name: value for name, value in sorted(os.environ.items()) if name.startswith("WINSCRATCH_")}
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [described(path, content_hash(path, data)) for path, data in sorted(made.items())],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"command": "verify", "engine": builder.name, "settings": settings},
                "resolvedDependencies": [
                    *(described(path, digest) | {"uri": f"file:{quote(path)}"} for path, digest in inputs.items()),
                    *others,
                ],
            },
            "runDetails": {"builder": {"id": BUILD_TYPE, "version": {"winscratch": VERSION, **tools}}},
        },
    }


def _images(builder: Engine) -> Iterator[dict[str, object]]:
    """Yield a resource descriptor of the image that the builder runs in, and of the one that this was made from."""
    if isinstance(builder, ContainerEngine):
        for name, identity in builder.images().items():
            yield {"name": name, "digest": {"sha256": identity.removeprefix("sha256:")}}


def _commit(root: Path) -> Iterator[dict[str, object]]:
    """Yield a resource descriptor of the commit that is checked out, where this is a checkout of git's."""
    if done := git(root, "rev-parse", "HEAD"):
        yield {"name": "HEAD", "digest": {"gitCommit": done.strip()}}


def _sbom(builder: Engine, root: Path) -> dict[str, object]:
    """Return a CycloneDX 1.6 bill of the Debian packages in the builder's image, or of those that stand for it."""
    if isinstance(builder, ContainerEngine):
        name, _, version = container.image_tag(container.build_context(root), builder.base).partition(":")
        written = builder.ask_image(*_DPKG_QUERY)
    else:
        name, version = "winscratch-hivex", "native"
        try:
            done = subprocess.run([*_DPKG_QUERY, *_NATIVE_PACKAGES], capture_output=True, check=False)
        except OSError as error:
            raise GeneratorError(f"--sbom: {_DPKG_QUERY[0]}: {error.strerror}") from error
        if done.returncode:
            raise GeneratorError(f"--sbom: {_DPKG_QUERY[0]} fails: {done.stderr.decode(errors='replace')}")
        written = done.stdout
    packages = [line.split()[1:] for line in written.decode("utf-8").splitlines() if line.startswith("installed ")]
    if not packages:
        raise GeneratorError(f"--sbom: {_DPKG_QUERY[0]} names no packages")
    return bill(name, version, packages)


def bill(name: str, version: str, packages: Iterable[list[str]]) -> dict[str, object]:
    """Return the CycloneDX document of the image *name*; each package is a name, a version and an architecture."""
    components = []
    for package, found, architecture in sorted(packages):
        purl = f"pkg:deb/debian/{quote(package)}@{quote(found, safe=':~')}?arch={architecture}"
        components.append({"type": "library", "bom-ref": purl, "name": package, "version": found, "purl": purl})
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "bom-ref": name, "name": name, "version": version}},
        "components": components,
    }


def _check_targets(root: Path, targets: Mapping[str, Path | None]) -> None:
    """Refuse, before anything is made, to write documents where they cannot be or would replace what is needed.

    *targets* has each option's path. In the folders of _KEPT nothing is written at all; elsewhere in the checkout
    no file that git tracks is replaced, or where git cannot say, none that is there.
    """
    seen: dict[Path, str] = {}
    for option, path in targets.items():
        if path is None:
            continue
        if path == Path():  # what an empty text becomes
            raise GeneratorError(f"{option}: names no file; give it a path")
        if not _plain(path, option):
            continue
        real, top = path.resolve(), root.resolve()
        if not real.parent.is_dir():
            raise GeneratorError(f"{option}: {path}: its folder does not exist; make it, or name another")
        if real in seen:
            raise GeneratorError(f"{option}: {path}: is the file of {seen[real]} too; name another")
        seen[real] = option
        if not real.is_relative_to(top):
            continue
        inside = real.relative_to(top)
        tracked = git(root, "ls-files", "-z", "--", str(real)) if real.exists() else ""
        if inside.parts[0].lower() in _KEPT or tracked or tracked is None:
            raise GeneratorError(f"{option}: {path}: a file of this checkout; name another")


def _plain(path: Path, option: str) -> bool:
    """Tell whether *path* names a file, or one that can come to be; raise GeneratorError where it names a folder."""
    if _stream(path) is not None:
        return False
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return True
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise GeneratorError(f"{option}: {path}: cannot be written: {why}") from error
    if stat.S_ISDIR(mode):
        raise GeneratorError(f"{option}: {path}: is a folder; name a file in it")
    return stat.S_ISREG(mode)


def _stream(path: Path) -> int | None:
    """Return the descriptor of this process that *path* names, such as 1 for /dev/stdout, or None."""
    if os.name == "nt":
        return None
    found = re.fullmatch(r"/(?:dev|proc/self)/fd/([0-9]{1,9})", str(path))
    return int(found[1]) if found else _STREAMS.get(str(path))


def _write(path: Path, option: str, document: object) -> None:
    """Write a document to a file, whole or not at all, or into what else stands there: a stream, a pipe, a device."""
    data = (json.dumps(document, indent=2) + "\n").encode("ascii")
    if _plain(path, option):
        files.replace({path.resolve(): data})
        return
    stream = _stream(path)
    try:
        if stream is not None:  # opened anew, a file would be written from its start
            descriptor = os.dup(stream)
        else:
            descriptor = os.open(path, os.O_WRONLY | NO_WAIT)  # a pipe that nobody reads must not hang this
            os.set_blocking(descriptor, True)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    except OSError as error:
        raise GeneratorError(f"{path}: cannot be written: {error.strerror}") from error
