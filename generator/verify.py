# SPDX-License-Identifier: Apache-2.0
"""For an auditor: rebuild every output from source, compare, and state what was made from what, with which tools.

Nothing in what is written depends on time or place: the same inputs and tools give the same documents.
"""

import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from . import VERSION, console, files, manifest, pipeline
from .builder import choose, container
from .builder.choose import Engine
from .builder.container import ContainerEngine
from .console import Say
from .errors import EXIT_OK, EXIT_STALE, GeneratorError
from .git import git
from .manifest import blob_path, content_hash
from .oci.blob import Blob, compress

BUILD_TYPE = "https://winscratch.example/generate/v1"  # the name of how it is done, as SLSA asks for one
_DPKG_QUERY = ("dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package} ${Version} ${Architecture}\\n")
_NATIVE_PACKAGES = ("libhivex0", "libpython3-stdlib", "python3", "python3-hivex", "python3-minimal")


def verify(
    root: Path,
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
    for path in filter(None, (provenance, sbom)):
        _check_target(root, path)
    builder = choose.select(engine, note, witness=True)
    with files.lock(root, note, shared=True):
        seen = manifest.look(root)
        record, damage = manifest.read(root)
        made = pipeline.make(root, pipeline.specified(root), pipeline.build_by(builder, note), note=note)
        findings = pipeline.compare(root, seen, record, damage, made, note)
    tools = _tools(builder)
    for line in _digests(made.files, made.blobs):
        say(line)
    for tool, version in tools.items():
        say(f"{tool} {version}")
    for name, blob in made.blobs.items():
        if compress(blob.tar) != blob.compressed:
            note(f"{blob_path(name)}: unpacks to the right tar; the zopfli here compresses that to other bytes")
    if sbom is not None:
        _write(sbom, _sbom(builder, root))
    for line in manifest.report(findings, [], False, {}):
        say(line)
    if findings:
        if provenance is not None:
            note(f"{provenance}: not written, as the outputs are not what their sources make")
        return EXIT_STALE
    if provenance is not None:
        _write(provenance, statement(made.files, seen.inputs, tools, builder, [*_commit(root), *_images(builder)]))
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


def _check_target(root: Path, path: Path) -> None:
    """Refuse to write over a file of the checkout that git tracks, or where git cannot say, any that is there."""
    real = path.resolve()
    if not real.is_relative_to(root.resolve()) or not real.is_file():
        return
    tracked = git(root, "ls-files", "-z", "--", str(real))
    if tracked or tracked is None:
        raise GeneratorError(f"{path}: a file of this checkout; name another")


def _write(path: Path, document: object) -> None:
    """Write a document to a file, whole or not at all, or into what else stands there: a pipe, a device."""
    data = (json.dumps(document, indent=2) + "\n").encode("ascii")
    real = path.resolve()
    if not real.exists() or real.is_file():
        files.replace({real: data})
        return
    try:
        descriptor = os.open(real, os.O_WRONLY | files.NO_WAIT)  # a pipe that nobody reads must not hang this
        os.set_blocking(descriptor, True)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    except OSError as error:
        raise GeneratorError(f"{path}: cannot be written: {error.strerror}") from error
