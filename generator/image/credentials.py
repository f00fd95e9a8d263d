# SPDX-License-Identifier: Apache-2.0
"""Read the user name and password for a registry from the files and credential helpers of skopeo and Docker.

Sources: containers-auth.json(5); github.com/containers/image pkg/docker/config; docker-credential-helpers.
"""

import base64
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..base.errors import GeneratorError
from ..base.process import ANSWER_SECONDS, ProcessSpec, run
from ..base.reading import read_file
from ..imageread.references import Reference

_MOST: Final = 1 << 20  # bytes of a file
_HUB: Final = "https://index.docker.io/v1/"  # the key of Docker Hub in credential helpers
_HELPER: Final = re.compile(r"[A-Za-z0-9._-]+")


class Credentials(NamedTuple):
    """A user name and password for a registry."""

    user: str
    password: str

    @property
    def basic(self) -> str:
        """The value of an Authorization header."""
        return f"Basic {base64.b64encode(f'{self.user}:{self.password}'.encode()).decode('ascii')}"


def credentials(reference: Reference, environment: Mapping[str, str] = os.environ) -> Credentials | None:
    """Return the account for a repository, or None if none is stored or only an identity token is."""
    names = list(_names(reference))
    for path in _files(environment):
        try:
            found = json.loads(read_file(path, str(path), _MOST))
            account = _stored(found, names) or _helped(found, names)
        except (GeneratorError, ValueError, TypeError, AttributeError, RecursionError):
            continue  # a missing or invalid file, which skopeo reports
        if account is not None:
            return account
    return None


def _names(reference: Reference) -> Iterator[str]:
    """Yield the keys under which a repository's account can be stored, the most specific first."""
    name = reference.full.rpartition(":")[0]
    while name:
        yield name
        name = name.rpartition("/")[0]


def _files(environment: Mapping[str, str]) -> Iterator[Path]:
    """Yield the files with accounts in skopeo's order; REGISTRY_AUTH_FILE replaces all others."""
    if named := environment.get("REGISTRY_AUTH_FILE"):
        yield Path(named)
        return
    home = Path("~").expanduser()
    if runtime := environment.get("XDG_RUNTIME_DIR"):
        yield Path(runtime) / "containers/auth.json"
    elif hasattr(os, "getuid"):
        yield Path(f"/run/containers/{os.getuid()}/auth.json")
    yield Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "containers/auth.json"
    yield Path(environment.get("DOCKER_CONFIG") or home / ".docker") / "config.json"


def _stored(found: Any, names: list[str]) -> Credentials | None:
    """Return the first account stored in the file itself under one of *names*, or None."""
    accounts = {_key(key): value for key, value in (found.get("auths") or {}).items()}
    for name in names:
        text = (accounts.get(name) or {}).get("auth")
        if text and not accounts[name].get("identitytoken"):
            user, colon, password = base64.b64decode(text).decode("utf-8").partition(":")
            if colon:
                return Credentials(user, password.strip("\0"))
    return None


def _key(text: str) -> str:
    """Return a key as _names() spells it: Docker writes URLs, and Docker Hub has several names."""
    scheme, found, rest = text.partition("://")
    key = (rest.partition("/")[0] if found and scheme in {"http", "https"} else text).rstrip("/")
    return "docker.io" if key in {"index.docker.io", "registry-1.docker.io"} else key


def _helped(found: Any, names: list[str]) -> Credentials | None:
    """Return the first account that a credential helper named in the file has for one of *names*, or None."""
    helpers = found.get("credHelpers") or {}
    for name in names:
        helper = helpers.get(name) or ("" if "/" in name else found.get("credsStore"))
        if not helper or not _HELPER.fullmatch(helper):
            continue
        program = ProcessSpec([f"docker-credential-{helper}", "get"], "the credential helper", ANSWER_SECONDS)
        answer = run(program, (_HUB if name == "docker.io" else name).encode())
        if answer.status == 0:
            said = json.loads(answer.out)
            if said.get("Username") not in {None, "", "<token>"} and isinstance(said.get("Secret"), str):
                return Credentials(said["Username"], said["Secret"])
    return None
