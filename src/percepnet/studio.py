"""The server of `percepnet studio`: the folder web/ on 127.0.0.1, with a strict content security policy; extra "studio"."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from percepnet.errors import PercepNetError

__all__ = ["application", "serve"]

HOST: Final = "127.0.0.1"
# A wheel carries the folder inside the package; in a clone it is at the top.
FOLDERS: Final = (Path(__file__).parent / "web", Path(__file__).parents[2] / "web")
MODELS: Final = Path(__file__).parent / "models"
ENGINE: Final = "percepnet.wasm"
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; style-src 'self'; img-src 'self' data:; "
        "media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class _WithHeaders:
    """Adds HEADERS to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *((k.lower().encode(), v.encode()) for k, v in HEADERS.items())]
            await send(message)

        await self.app(scope, receive, send_with_headers)


def application() -> Starlette:
    """The page at /, the package beside it; answers only to names of this machine, so that no other page can use it."""
    folder = next((folder for folder in FOLDERS if (folder / ENGINE).exists()), None)
    if folder is None:
        raise PercepNetError("the page was not built into this installation; in a clone, run `make web`")
    routes = [
        Route("/", lambda _: RedirectResponse("/demo/")),
        Mount("/models", StaticFiles(directory=MODELS)),
        Mount("/", StaticFiles(directory=folder, html=True)),
    ]
    names = [HOST, "localhost"]
    return Starlette(
        routes=routes, middleware=[Middleware(_WithHeaders), Middleware(TrustedHostMiddleware, allowed_hosts=names)]
    )


def serve(port: int, tell: Callable[[str], None]) -> None:
    """Serves until interrupted; `tell` gets the address once it answers. Port 0 takes any that is free."""
    app = application()
    with socket.create_server((HOST, port)) as listener:
        tell(f"http://{HOST}:{listener.getsockname()[1]}/")
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        server.run(sockets=[listener])
