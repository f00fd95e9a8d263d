# SPDX-License-Identifier: Apache-2.0
"""Mounts with accounts: tokens, files of credentials and helpers; credentials never go elsewhere."""

import base64
import json
import shutil
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import image_runs
from helpers.misbehaving_registry import Handler, Misbehaving, Start, misbehaving

from generator.image.credentials import Credentials, credentials
from generator.image.mount import mount
from generator.imageread.references import Reference, reference

_ = misbehaving  # a fixture
DIGEST = f"sha256:{'0' * 64}"
ACCOUNT = {"auth": base64.b64encode(b"user:pass:word").decode()}
BASIC = f"Basic {ACCOUNT['auth']}"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have no accounts but those of the test."""
    for name in ("REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def stored(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def of(host: str, name: str) -> Reference:
    return reference(f"{host}/{name}:1", "x")


def mounted(host: str) -> bool:
    return mount([DIGEST], of(host, "base"), of(host, "a/b"), secure=False)


Answers = Callable[[Handler], tuple[int, dict[str, str], object]]


def fault(answers: Answers) -> Callable[[Handler], bool]:
    def answered(handler: Handler) -> bool:
        handler.read()
        status, headers, content = answers(handler)
        handler.answer(status, json.dumps(content).encode(), **headers)
        return True

    return answered


def test_a_token_is_asked_for_both_repositories(misbehaving: Start, home: Path) -> None:
    asked: list[tuple[str, str, str | None]] = []

    def answers(handler: Handler) -> tuple[int, dict[str, str], object]:
        asked.append((handler.command, handler.path, handler.headers["Authorization"]))
        if handler.path.startswith("/token"):
            return 200, {}, {"token": "abc"}
        if handler.headers["Authorization"] == "Bearer abc":
            return 201, {}, {}
        realm = f'Bearer realm="http://{handler.headers["Host"]}/token",service="tests"'
        return 401, {"WWW_Authenticate": realm}, {}

    host = misbehaving(fault(answers)).host
    stored(home / ".docker/config.json", {"auths": {f"http://{host}/v2/": ACCOUNT}})
    assert mounted(host)
    digest = DIGEST.replace(":", "%3A")
    post = f"/v2/a/b/blobs/uploads/?mount={digest}&from=base"
    scopes = "scope=repository%3Aa%2Fb%3Apull%2Cpush&scope=repository%3Abase%3Apull"
    assert asked == [
        ("POST", post, None),
        ("GET", f"/token?service=tests&{scopes}", BASIC),
        ("POST", post, "Bearer abc"),
    ]


def test_an_account_is_sent_to_a_registry_that_asks_for_it(misbehaving: Start, home: Path) -> None:
    def answers(handler: Handler) -> tuple[int, dict[str, str], object]:
        if handler.headers["Authorization"] == BASIC:
            return 201, {}, {}
        return 401, {"WWW_Authenticate": 'Basic realm="x"'}, {}

    host = misbehaving(fault(answers)).host
    assert not mounted(host)
    stored(home / ".docker/config.json", {"auths": {host: ACCOUNT}})
    assert mounted(host)


def test_an_upload_in_place_of_a_mount_is_cancelled(misbehaving: Start) -> None:
    asked: list[str] = []

    def answers(handler: Handler) -> tuple[int, dict[str, str], object]:
        asked.append(f"{handler.command} {handler.path.partition('?')[0]}")
        return (202, {"Location": "/v2/a/b/blobs/uploads/7"}, {}) if handler.command == "POST" else (204, {}, {})

    def deleted(handler: Handler) -> None:
        answer(handler)

    answer = fault(answers)
    Handler.do_DELETE = deleted  # type: ignore[attr-defined]
    try:
        assert not mounted(misbehaving(answer).host)
    finally:
        del Handler.do_DELETE  # type: ignore[attr-defined]
    assert asked == ["POST /v2/a/b/blobs/uploads/", "DELETE /v2/a/b/blobs/uploads/7"]


@pytest.mark.parametrize(
    ("status", "headers", "content"),
    [
        (200, {}, {}),
        (301, {"Location": "http://localhost:1/x"}, {}),
        (307, {"Location": "/v2/"}, {}),
        (401, {}, {}),
        (401, {"WWW_Authenticate": "Bearer"}, {}),
        (401, {"WWW_Authenticate": 'Bearer realm="file:///etc/passwd"'}, {}),
        (401, {"WWW_Authenticate": 'Bearer realm="//"'}, {}),
        (404, {}, {}),
        (500, {}, "x"),
    ],
)
def test_any_other_answer_is_no_mount(
    status: int, headers: dict[str, str], content: object, misbehaving: Start
) -> None:
    assert not mounted(misbehaving(fault(lambda _: (status, headers, content))).host)


@pytest.mark.parametrize("token", [{}, [], {"token": 1}, {"token": "a\r\nX: b"}, "x"])
def test_an_answer_without_a_token_is_no_mount(token: object, misbehaving: Start) -> None:
    def answers(handler: Handler) -> tuple[int, dict[str, str], object]:
        if handler.path.startswith("/token"):
            return 200, {}, token
        return 401, {"WWW_Authenticate": f'Bearer realm="http://{handler.headers["Host"]}/token"'}, {}

    assert not mounted(misbehaving(fault(answers)).host)


def test_a_registry_that_is_away_is_no_mount() -> None:
    assert not mount([DIGEST], of("localhost:1", "a"), of("localhost:1", "b"), secure=True)


def test_a_certificate_of_the_registrys_own_authority_is_trusted(home: Path) -> None:
    server = Misbehaving(fault(lambda _: (201, {}, {})))
    certificate = image_runs.certificate(home)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, home / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    names = of(server.host, "base"), of(server.host, "a/b")
    assert not mount([DIGEST], *names, secure=True)
    folder = home / ".config/containers/certs.d" / server.host
    folder.mkdir(parents=True)
    shutil.copy(certificate, folder / "ca.crt")
    assert mount([DIGEST], *names, secure=True)
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("name", "path"),
    [("hello", "library/hello"), ("a/b", "a/b"), ("docker.io/library/x", "library/x"), ("r.lab:5000/a/b", "a/b")],
)
def test_the_path_of_a_repository_has_what_docker_hub_leaves_out(name: str, path: str) -> None:
    assert reference(f"{name}:1", "x").repository == path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("r.lab:5000/a/b", {"auths": {"r.lab:5000": ACCOUNT}}),
        ("r.lab:5000/a/b", {"auths": {"r.lab:5000/a": ACCOUNT, "r.lab:5000": {"auth": "!"}}}),
        ("r.lab/a", {"auths": {"https://r.lab/v1/": ACCOUNT}}),
        ("hello", {"auths": {"https://index.docker.io/v1/": ACCOUNT}}),
        ("hello", {"auths": {"docker.io": ACCOUNT}}),
        ("docker.io/library/hello", {"auths": {"docker.io/library": ACCOUNT}}),
    ],
)
def test_an_account_is_found_under_every_spelling(name: str, content: object, home: Path) -> None:
    stored(home / "run/containers/auth.json", content)
    assert credentials(reference(f"{name}:1", "x")) == Credentials("user", "pass:word")


@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        {"auths": []},
        {"auths": {"r.lab": {}}},
        {"auths": {"r.lab": {"auth": "%%%"}}},
        {"auths": {"r.lab": {"auth": base64.b64encode(b"nobody").decode()}}},
        {"auths": {"r.lab": {**ACCOUNT, "identitytoken": "x"}}},
        {"auths": {"r.lab.evil": ACCOUNT, "lab": ACCOUNT, "r.lab:5000": ACCOUNT}},
        {"credHelpers": {"r.lab": "../../bin/sh"}},
        {"credsStore": "none-such"},
    ],
)
def test_without_an_account_of_the_registry_there_is_none(content: object, home: Path) -> None:
    stored(home / ".docker/config.json", content)
    assert credentials(reference("r.lab/a:1", "x")) is None


def test_the_file_that_the_user_names_is_the_only_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored(home / ".docker/config.json", {"auths": {"r.lab": ACCOUNT}})
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(stored(home / "own.json", {})))
    assert credentials(reference("r.lab/a:1", "x")) is None


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({"Username": "user", "Secret": "s"}, Credentials("user", "s")),
        ({"Username": "<token>", "Secret": "s"}, None),
        ({"Secret": "s"}, None),
        ([], None),
    ],
)
@pytest.mark.parametrize(("name", "server"), [("r.lab/a", "r.lab"), ("hello", "https://index.docker.io/v1/")])
def test_a_credential_helper_is_asked(
    name: str, server: str, answer: Any, found: object, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = home / "bin/docker-credential-tests"
    helper.parent.mkdir()
    helper.write_text(f"#!/bin/sh\n[ \"$(cat)\" = {server} ] && echo '{json.dumps(answer)}'\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{helper.parent}:/usr/bin:/bin")
    stored(home / ".docker/config.json", {"credsStore": "tests"})
    assert credentials(reference(f"{name}:1", "x")) == found
