"""The examples of web/examples, as a visitor uses them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browsers import WEB, browsing, needs_browser, serving, strangers, wait_for

pytestmark = [needs_browser, pytest.mark.slow]

needs_npm = pytest.mark.skipif(not shutil.which("npm") and not os.environ.get("CI"), reason="needs npm")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """With a microphone that beeps."""
    with browsing("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream") as driver:
        yield driver


@pytest.fixture(autouse=True)
def _quiet_afterwards(browser: Any) -> Iterator[None]:
    yield
    browser.get("about:blank")  # the page would go on processing sound


def status(browser: Any) -> str:
    return str(browser.find_element("id", "status").text)


def press(browser: Any, name: str, expected: str) -> None:
    """Presses a button and waits for the words that say it worked."""
    wait_for(lambda: browser.find_element("id", name).is_enabled(), f"{name} to be enabled")
    browser.find_element("id", name).click()
    wait_for(lambda: expected in status(browser), f"{expected!r} instead of {status(browser)!r}")


def test_plain_html(browser: Any) -> None:
    with serving({"/": WEB}) as site:
        browser.get(f"{site.address}/examples/plain/")
        press(browser, "start", "Running, 40 ms behind." if rate(browser) == 48000 else "Running")

        wait_for(lambda: float(browser.find_element("id", "speech").get_attribute("value")) >= 0, "a hop")
        assert browser.get_log("browser") == []
        assert strangers(browser, site.address) == set()


def rate(browser: Any) -> int:
    return int(browser.execute_script("return new AudioContext().sampleRate"))


def test_track_processor(browser: Any) -> None:
    with serving({"/": WEB}) as site:
        browser.get(f"{site.address}/examples/livekit/")
        press(browser, "publish", "Published, enhanced by percepnet.")
        wait_for(lambda: browser.execute_script("return document.getElementById('far').srcObject?.active"), "the far end")
        press(browser, "switch", "Switched, enhanced by percepnet.")
        press(browser, "stop", "Published as it is.")

        assert browser.get_log("browser") == []
        assert strangers(browser, site.address) == set()


@pytest.fixture(scope="module")
def vite_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Vite example with the package as npm would deliver it: type-checked and built."""
    folder = tmp_path_factory.mktemp("vite")
    package = subprocess.run(
        ["npm", "pack", "--silent", "--pack-destination", folder], cwd=WEB, check=True, capture_output=True, text=True
    ).stdout.strip()
    app = folder / "app"
    shutil.copytree(WEB / "examples" / "vite", app, ignore=shutil.ignore_patterns("node_modules", "dist"))
    manifest = app / "package.json"
    manifest.write_text(manifest.read_text().replace("file:../..", f"file:{folder / package}"))
    for command in (["npm", "install", "--no-audit", "--no-fund", "--prefer-offline"], ["npm", "run", "build"]):
        result = subprocess.run(command, cwd=app, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
    return app / "dist"


@needs_npm
def test_vite(browser: Any, vite_build: Path) -> None:
    with serving({"/": vite_build}) as site:
        browser.get(f"{site.address}/")
        press(browser, "start", "Hop")

        assert browser.get_log("browser") == []
        assert strangers(browser, site.address) == set()


@needs_npm
def test_vite_keeps_the_files_whole(vite_build: Path) -> None:
    built = {path.name.partition("-")[0]: path for path in (vite_build / "assets").iterdir()}

    assert built["worklet"].read_bytes() == (WEB / "worklet.js").read_bytes()
    assert built["percepnet"].read_bytes() == (WEB / "percepnet.wasm").read_bytes()
    assert built["default"].read_bytes() == (WEB / "models" / "default.pnw").read_bytes()
