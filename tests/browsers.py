"""A site on this machine with a strict content security policy, and a browser without a screen to look at it."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest

WEB = Path(__file__).parents[1] / "web"
PAGE = Path(__file__).parent / "web" / "page"
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
DRIVER = shutil.which("chromedriver")
PATIENCE_S = 300.0  # the machine may be busy

needs_browser = pytest.mark.skipif(
    not (BROWSER and DRIVER) and not os.environ.get("CI"), reason="needs chromium and chromedriver (apt: chromium-driver)"
)

# What a careful site sends: no eval, no inline script or style, nothing from elsewhere.
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self' blob:"
)
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".css": "text/css",
    ".wasm": "application/wasm",
    ".svg": "image/svg+xml",
}
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--window-size=1400,1000",
)


@dataclass
class Site:
    """Serves folders and bytes, and takes bytes."""

    folders: dict[str, Path]
    data: dict[str, bytes] = field(default_factory=dict)
    results: dict[str, bytes] = field(default_factory=dict)
    address: str = ""

    def contents(self, path: str) -> tuple[bytes, str] | None:
        if path in self.data:
            return self.data[path], TYPES.get(Path(path).suffix, "application/octet-stream")
        for prefix, folder in self.folders.items():
            if path.startswith(prefix):
                file = folder / path.removeprefix(prefix)
                file = file / "index.html" if file.is_dir() else file
                if file.is_file():
                    return file.read_bytes(), TYPES.get(file.suffix, "application/octet-stream")
        return None

    def offer(self, name: str, samples: npt.ArrayLike) -> None:
        """Puts samples where the page finds them."""
        self.data[f"/data/{name}"] = np.ascontiguousarray(samples, np.float32).tobytes()

    def samples(self, name: str, channels: int = 1) -> npt.NDArray[np.float32]:
        """What the page sent under this name, (channels, samples)."""
        return np.frombuffer(self.results[name], np.float32).reshape(channels, -1)


class _Handler(http.server.BaseHTTPRequestHandler):
    site: ClassVar[Site]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        found = self.site.contents(self.path.partition("?")[0])
        self._answer(200 if found else 404, *(found or (b"not found", "text/plain")))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.site.results[self.path.rpartition("/")[2]] = body
        self._answer(200, b"", "text/plain")

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        headers = {"Content-Type": kind, "Content-Length": str(len(body)), "Content-Security-Policy": POLICY}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(folders: dict[str, Path]) -> Iterator[Site]:
    """A site while the block runs; keys are prefixes of paths, the longest first."""
    site = Site(folders)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"site": site}))
    server.daemon_threads = True
    site.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def browsing(*flags: str) -> Iterator[Any]:
    """A new browser while the block runs."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    for flag in (*FLAGS, *flags):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    driver.set_script_timeout(PATIENCE_S)
    try:
        yield driver
    finally:
        driver.quit()


def run(browser: Any, script: str, *arguments: Any) -> Any:
    """What an async function body returns, called with `args`; what it throws is an AssertionError."""
    wrapped = (
        "const done = arguments[arguments.length - 1];"
        f"(async (...args) => {{ {script} }})(...arguments)"
        ".then((value) => done({ value }), (error) => done({ error: `${error.name}: ${error.message}` }));"
    )
    answer = browser.execute_async_script(wrapped, *arguments)
    if "error" in answer:
        raise AssertionError(answer["error"])
    return answer.get("value")


def page_process(browser: Any) -> Path:
    """The page's process under /proc: of the renderers of this driver's browser, the one that works while the page does."""
    before = {process: processor_time_s(process) for process in renderers(browser)}
    run(browser, "for (const end = performance.now() + 500; performance.now() < end; ) {}")
    return max(before, key=lambda process: processor_time_s(process) - before[process])


def renderers(browser: Any) -> list[Path]:
    """The processes of this driver's browser that show pages."""
    found, family = [], {str(browser.service.process.pid)}
    for process in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        try:
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            command = (process / "cmdline").read_text()
        except OSError:  # it has ended
            continue
        if parent in family:
            family.add(process.name)
            if "--type=renderer" in command and "--top-chrome-webui" not in command:  # the browser's own buttons
                found.append(process)
    return found


def processor_time_s(process: Path) -> float:
    """What a process has used of all cores, in seconds."""
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """The first value of `condition` that is true."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.05)
    raise TimeoutError(f"waited {PATIENCE_S} s for {what}")


def strangers(browser: Any, address: str) -> set[str]:
    """Addresses outside the site that were asked for something."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    requests = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    return {url for url in requests if not url.startswith((address, "data:", "blob:"))}
