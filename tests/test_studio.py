"""percepnet studio: the page on this machine alone, with its policy."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from browsers import WEB
from percepnet.cli import app

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

import asyncio
from typing import Any

from percepnet import PercepNetError, studio


def get(path: str, host: str = "127.0.0.1") -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer, without a socket."""
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"spec_version": "2.4"},  # an answer does not wait for the client to go
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "scheme": "http",
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
        "headers": [(b"host", host.encode())],
    }
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    asyncio.run(studio.application()(scope, receive, send))
    headers = {key.decode(): value.decode() for key, value in messages[0]["headers"]}
    return messages[0]["status"], headers, b"".join(message.get("body", b"") for message in messages[1:])


def test_page_is_at_the_root() -> None:
    status, headers, _ = get("/")

    assert (status, headers["location"]) == (307, "/demo/")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/demo/", "text/html; charset=utf-8"),
        ("/demo/demo.js", "text/javascript; charset=utf-8"),
        ("/percepnet.wasm", "application/wasm"),
        ("/models/default.pnw", "application/octet-stream"),
    ],
)
def test_every_file_is_served_with_the_policy(path: str, kind: str) -> None:
    status, headers, body = get(path)

    assert status == 200
    assert headers["content-type"] == kind
    assert "'unsafe" not in headers["content-security-policy"]
    assert len(body) == int(headers["content-length"])


def test_other_names_are_refused() -> None:
    assert get("/demo/", "evil.example")[0] == 400


def test_a_missing_page_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studio, "ENGINE", "none.wasm")

    with pytest.raises(PercepNetError, match="run `make web`"):
        studio.application()


def test_a_missing_page_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studio, "ENGINE", "none.wasm")

    result = CliRunner().invoke(app, ["studio", "--no-browse"])

    assert result.exit_code == 1
    assert result.stderr.startswith("percepnet studio: the page was not built")


def test_the_server_answers_on_this_machine_alone() -> None:
    import threading
    import urllib.request

    address: list[str] = []
    told = threading.Event()

    def tell(text: str) -> None:
        address.append(text)
        told.set()

    threading.Thread(target=studio.serve, args=(0, tell), daemon=True).start()
    told.wait(60)

    assert address[0].startswith("http://127.0.0.1:")
    with urllib.request.urlopen(address[0], timeout=60) as answer:
        assert answer.read() == (WEB / "demo" / "index.html").read_bytes()
