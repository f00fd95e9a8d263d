# SPDX-License-Identifier: Apache-2.0
"""Mount blobs from one repository of a registry in another, without transferring them.

skopeo mounts only blobs whose repository is in its cache, so this module sends the requests itself: OCI distribution
specification 1.1, "Mounting a blob from another repository". If a mount fails, skopeo copies the blobs instead.
"""

import contextlib
import http.client
import json
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from email.message import Message
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..base.errors import GeneratorError
from ..imageread.references import Reference
from .credentials import Credentials, credentials

_SECONDS: Final = 30  # for each request
_MOST: Final = 1 << 16  # bytes of an answer
_HUB: Final = "registry-1.docker.io"  # github.com/distribution/reference calls it docker.io
_PARAMETER: Final = re.compile(r'([a-z]+)="([^"]*)"')


class _Response(NamedTuple):
    status: int
    headers: Message
    body: bytes


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirects, since they could send credentials to another host."""

    def redirect_request(self, *_: object) -> None:
        return None


def mount(digests: Sequence[str], source: Reference, target: Reference, *, secure: bool) -> bool:
    """Mount blobs of *source* in *target*, repositories of one registry; return whether all are mounted.

    Without *secure*, requests are sent without TLS.
    """
    try:
        client = _Client(source, target, secure=secure)
        return all(client.mounted(digest) for digest in digests)
    except (OSError, ValueError, http.client.HTTPException, GeneratorError):
        return False


def _context(host: str) -> ssl.SSLContext:
    """Return TLS settings that trust the machine's CAs, and those configured for *host*: containers-certs.d(5)."""
    context = ssl.create_default_context()
    home = Path("~").expanduser() / ".config/containers"
    for folder in (home, Path("/etc/containers"), Path("/etc/docker")):
        for path in sorted((folder / "certs.d" / host).glob("*.crt")):
            context.load_verify_locations(path)
    return context


class _Client:
    """Asks a registry to mount blobs; raises OSError, ValueError or HTTPException."""

    def __init__(self, source: Reference, target: Reference, *, secure: bool) -> None:
        self._secure = secure
        self._source, self._target = source.repository, target.repository
        self._reference = target
        host = _HUB if target.host in {"", "docker.io"} else target.host
        self._top = f"{'https' if secure else 'http'}://{host}"
        handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
        if secure:
            handlers.append(urllib.request.HTTPSHandler(context=_context(host)))
        self._opener = urllib.request.build_opener(*handlers)
        self._authorization = ""

    def mounted(self, digest: str) -> bool:
        """Mount a blob; return whether it is mounted. If the registry starts an upload instead, it is cancelled."""
        query = urllib.parse.urlencode({"mount": digest, "from": self._source})
        url = f"{self._top}/v2/{self._target}/blobs/uploads/?{query}"
        answer = self._ask("POST", url)
        if answer.status == 401 and not self._authorization:
            self._authorize(answer.headers.get_all("WWW-Authenticate") or ())
            answer = self._ask("POST", url)
        if answer.status == 202:
            location = urllib.parse.urljoin(url, answer.headers.get("Location", ""))
            if location.startswith(f"{self._top}/"):
                with contextlib.suppress(OSError):
                    self._ask("DELETE", location)
        return answer.status == 201

    def _authorize(self, challenges: Sequence[str]) -> None:
        """Get an authorization for both repositories: distribution, "Token Authentication Specification"."""
        account = credentials(self._reference)
        for challenge in challenges:
            scheme, _, rest = challenge.partition(" ")
            if scheme.lower() == "basic" and account:
                self._authorization = account.basic
            elif scheme.lower() == "bearer":
                self._authorization = f"Bearer {self._token(dict(_PARAMETER.findall(rest)), account)}"

    def _token(self, challenge: dict[str, str], account: Credentials | None) -> str:
        realm = challenge.get("realm", "")
        if not realm.startswith("https://" if self._secure else ("https://", "http://")):
            raise ValueError("the token server must use TLS if the registry does")
        scopes = [f"repository:{self._target}:pull,push", f"repository:{self._source}:pull"]
        query = urllib.parse.urlencode([("service", challenge.get("service", "")), *(("scope", s) for s in scopes)])
        answer = self._ask("GET", f"{realm}{'&' if '?' in realm else '?'}{query}", account.basic if account else "")
        found: Any = json.loads(answer.body)
        token = isinstance(found, dict) and (found.get("token") or found.get("access_token"))
        if not isinstance(token, str) or not re.fullmatch(r"[!-~]+", token):
            raise ValueError("the answer has no token")
        return token

    def _ask(self, method: str, url: str, authorization: str | None = None) -> _Response:
        request = urllib.request.Request(url, method=method)  # noqa: S310 - http or https, as __init__ has it
        own = self._authorization if authorization is None else authorization
        if own:
            request.add_unredirected_header("Authorization", own)
        if method == "POST":
            request.add_header("Content-Length", "0")
        try:
            with self._opener.open(request, timeout=_SECONDS) as answer:
                return _Response(answer.status, answer.headers, answer.read(_MOST))
        except urllib.error.HTTPError as error:
            with error:
                return _Response(error.code, error.headers, error.read(_MOST))
