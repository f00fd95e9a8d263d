# SPDX-License-Identifier: Apache-2.0
"""Select an engine, docker, podman, native or builtin, and build hives with it.

Settings from the environment, each optional:

- WINSCRATCH_ENGINE: auto, docker, podman, native or builtin;
- WINSCRATCH_TIMEOUT: seconds an image build or a run of the builder may take;
- WINSCRATCH_BASE_IMAGE: the image Dockerfile.hivex starts from;
- WINSCRATCH_BUILD_NETWORK: the network of the image build, such as host.

The settings of docker and podman (DOCKER_HOST, DOCKER_BUILDKIT, CONTAINERS_CONF, …) apply too.
"""

import os
import shutil
from collections.abc import Mapping
from typing import Protocol

from ..base.console import Say
from ..base.errors import counted
from ..base.process import ANSWER_SECONDS, AUTO_SECONDS, BUILD_SECONDS, RUN_SECONDS, EngineError
from ..base.settings import setting, timeout
from ..hives.layout import lay_out
from ..hives.model import Hive
from .accept import accept
from .container import ContainerEngine
from .native import NativeEngine, find_python
from .wire import Built

ENGINES = ("auto", "docker", "podman", "native", "builtin")
FIXES = {
    "docker": "install or start docker, or set DOCKER_HOST",
    "podman": "install podman",
    "native": "on Debian apt-get install python3-hivex",
}


class Engine(Protocol):
    """Something that builds hives."""

    @property
    def name(self) -> str:
        """The name on the command line: docker, podman, native or builtin."""

    def build(self, hives: Mapping[str, Hive]) -> Built:
        """Return *hives* as built, by id; raises EngineError."""


class BuiltinEngine:
    """Build hives in this process, laid out as hivex does; other engines' hives are compared with these."""

    name = "builtin"

    def build(self, hives: Mapping[str, Hive]) -> Built:
        """Return *hives* as laid out."""
        return Built({name: lay_out(hive) for name, hive in hives.items()})


def check_name(name: str, source: str = "--engine") -> None:
    """Raise EngineError unless *name* is a value of ``--engine``."""
    if name not in ENGINES:
        raise EngineError(f"{source}: unknown engine {name!r}; hint: use one of {', '.join(ENGINES)}")


def select(name: str | None, say: Say, *, witness: bool = False) -> Engine:
    """Return the engine *name*, else WINSCRATCH_ENGINE's, else the first that works; report it through *say*.

    The engine keeps *say* for progress. A *witness* must not be this program, so that two implementations agree.
    Raises EngineError for an unknown name, an invalid setting or an unusable engine.
    """
    source, wanted = ("--engine", name) if name is not None else ("WINSCRATCH_ENGINE", setting("ENGINE") or "auto")
    check_name(wanted, source)
    if witness and wanted == "builtin":
        raise EngineError(f"{source} builtin: cannot confirm its own hives; hint: use one of {', '.join(ENGINES[:-1])}")
    seconds = timeout()
    if wanted != "auto":
        try:
            return _usable(wanted, seconds, say, ANSWER_SECONDS)
        except EngineError as error:
            raise EngineError(f"{source}: {error}; hint: {FIXES[wanted]}, or use another engine") from error
    reasons = []
    for candidate in ENGINES[1:-1] if witness else ENGINES[1:]:
        try:
            return _usable(candidate, seconds, say, AUTO_SECONDS)
        except EngineError as error:
            reasons.append(str(error))
    raise EngineError(f"--engine: no usable engine ({'; '.join(reasons)}); hint: {', or '.join(FIXES.values())}")


def _usable(name: str, seconds: int | None, say: Say, patience: float) -> Engine:
    """Return the engine *name* after a probe; raises EngineError with its name and the reason if it does not work."""
    if name == "builtin":
        say("engine: builtin (without hivex)")
        return BuiltinEngine()
    if not hasattr(os, "killpg"):  # needed for time limits
        raise EngineError(f"{name}: not supported on this system")
    if name == "native":
        native = NativeEngine(find_python(), run_seconds=seconds or RUN_SECONDS)
        say(f"engine: native ({native.python})")
        return native
    if shutil.which(name) is None:
        raise EngineError(f"{name}: not found on PATH")
    limits = (seconds or RUN_SECONDS, seconds or BUILD_SECONDS)
    engine = ContainerEngine(name, say, *limits, base=setting("BASE_IMAGE"), network=setting("BUILD_NETWORK"))
    details = [engine.probe_docker(patience) if name == "docker" else engine.probe_podman()]
    if name == "docker" and "DOCKER_HOST" in os.environ:
        details.append(os.environ["DOCKER_HOST"])
    say(f"engine: {name} ({', '.join(details)})")
    return engine


def build_hives(engine: Engine, hives: Mapping[str, Hive], say: Say | None = None) -> dict[str, bytes]:
    """Return the regf file of each of *hives*, built by *engine*, by the hive's id; report progress through *say*.

    Raises EngineError if the engine fails, GeneratorError if a hive's bytes differ from this program's.
    """
    if say:
        say(f"building {counted(len(hives), 'hive')}")
    built = engine.build(hives)
    for name, hive in hives.items():
        version = f" (hivex {built.hivex})" if built.hivex else ""
        accept(name, built.hives[name], hive, f"engine {engine.name}{version}")
    return built.hives
