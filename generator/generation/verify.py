# SPDX-License-Identifier: Apache-2.0
"""Rebuild every output from source, compare, and write provenance and a software bill of materials (SBOM).

The documents depend on no time or path: the same inputs and tools give the same documents.
"""

import importlib.metadata
import json
import os
import platform
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
from ..builder import choose, container
from ..builder.choose import Engine
from ..builder.container import ContainerEngine
from ..oci.blob import compress
from . import manifest, pipeline
from .manifest import blob_path
from .unchanged import content_hash

BUILD_TYPE = "https://winscratch.example/generate/v1"  # the name of the build process, which SLSA requires
_DPKG_QUERY = ("dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package} ${Version} ${Architecture}\\n")
_KEPT = frozenset({".git", "generator", "templates", "output"})  # folders that take no document
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
    """Rebuild every output below *root* with an engine and compare; return 0 if all are equal, else 1.

    Writes the *provenance* statement only if all are equal, and the *sbom* always.
    """
    _check_targets(root, {"--provenance": provenance, "--sbom": sbom})
    builder = choose.select(engine, note, witness=True)
    with files.lock(root, note, shared=True):
        state = pipeline.read_state(root)
        made = pipeline.make(root, pipeline.specified(root), pipeline.build_by(builder, note), documents, note=note)
        findings = pipeline.differences(state, made, note)
    tools = _tools(builder)
    _report(made, tools, say, note)
    if sbom is not None:
        _write(sbom, _sbom(builder, root))
    for line in manifest.report(findings, [], False, {}):
        say(line)
    if findings:
        if provenance is not None:
            note(f"{provenance}: not written, since the outputs are not what their sources make")
        return EXIT_STALE
    if provenance is not None:
        others = _others(root, builder)
        _write(provenance, statement(made.files, state.seen.inputs, tools, builder, others))
    say(f"verified: {len(made.files)} outputs are what their sources make, byte for byte")
    return EXIT_OK


def _report(made: pipeline.MadeOutputs, tools: Mapping[str, str], say: Say, note: Say) -> None:
    """Print the digests of the outputs and the versions of the tools; note blobs that zopfli compresses otherwise."""
    for name, blob in made.blobs.items():
        say(f"{name}: diff id {blob.diff_id}")
        say(f"{name}: digest {blob.digest}")
    for path, data in made.files.items():
        say(f"{content_hash(path, data)} {path}")
    for tool, version in tools.items():
        say(f"{tool} {version}")
    for name, blob in made.blobs.items():
        if compress(blob.tar) != blob.compressed:
            note(f"{blob_path(name)}: the tar is right, but the installed zopfli compresses it to other bytes")


def _tools(builder: Engine) -> dict[str, str]:
    """Return the version of each tool that affects the bytes; hivex's as the builder reports it."""
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

    *others* are resource descriptors of further inputs: the commit and the images.
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


def _others(root: Path, builder: Engine) -> Iterator[dict[str, object]]:
    """Yield resource descriptors of the commit, if *root* is a git repository, and of the builder's image and base."""
    if done := git(root, "rev-parse", "HEAD"):
        yield {"name": "HEAD", "digest": {"gitCommit": done.strip()}}
    if isinstance(builder, ContainerEngine):
        for name, identity in builder.images().items():
            yield {"name": name, "digest": {"sha256": identity.removeprefix("sha256:")}}


def _sbom(builder: Engine, root: Path) -> dict[str, object]:
    """Return a CycloneDX 1.6 SBOM of the Debian packages in the builder's image, or of this machine's equivalents."""
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
            raise GeneratorError(f"--sbom: {_DPKG_QUERY[0]} failed: {done.stderr.decode(errors='replace')}")
        written = done.stdout
    packages = [line.split()[1:] for line in written.decode("utf-8").splitlines() if line.startswith("installed ")]
    if not packages:
        raise GeneratorError(f"--sbom: {_DPKG_QUERY[0]} lists no packages")
    return bill(name, version, packages)


def bill(name: str, version: str, packages: Iterable[list[str]]) -> dict[str, object]:
    """Return the CycloneDX document of the image *name*; each package is (name, version, architecture)."""
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
    """Refuse document paths that cannot be written or would replace needed files, before anything is made.

    *targets* has each option's path. Nothing is written into the folders of _KEPT; elsewhere in the checkout, no
    tracked file is replaced, nor, if git fails, any existing file.
    """
    seen: dict[Path, str] = {}
    for option, path in targets.items():
        if path is None:
            continue
        _check_target(option, path)
        real, top = path.resolve(), root.resolve()
        if not real.parent.is_dir():
            raise GeneratorError(f"{option}: {path}: its folder does not exist; hint: make it, or name another")
        if real in seen:
            raise GeneratorError(f"{option}: {path}: the same file as {seen[real]}; hint: name another")
        seen[real] = option
        if not real.is_relative_to(top):
            continue
        inside = real.relative_to(top)
        tracked = git(root, "ls-files", "-z", "--", str(real)) if real.exists() else ""
        if inside.parts[0].lower() in _KEPT or tracked or tracked is None:
            raise GeneratorError(f"{option}: {path}: a file of this checkout; hint: name another")


def _check_target(option: str, path: Path) -> None:
    """Raise GeneratorError unless *path* names a regular file or a new one."""
    if path == Path():  # from an empty text
        raise GeneratorError(f"{option}: the path is empty; hint: name a file")
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise GeneratorError(f"{option}: {path}: cannot be written: {why}") from error
    # /dev/stdout may lead to a regular file, which would be replaced while it is written to.
    if not stat.S_ISREG(mode) or str(path).startswith(("/dev/", "/proc/")):
        raise GeneratorError(f"{option}: {path}: not a regular file; hint: name a file")


def _write(path: Path, document: object) -> None:
    files.replace({path.resolve(): (json.dumps(document, indent=2) + "\n").encode("ascii")})
