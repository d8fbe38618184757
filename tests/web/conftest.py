"""A page with the package in reach."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from browsers import PAGE, WEB, Site, browsing, run, serving


@pytest.fixture(scope="session", autouse=True)
def _built() -> None:
    if not (WEB / "percepnet.wasm").exists():
        pytest.fail("web/percepnet.wasm is missing: run `make web`")


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """The package under /percepnet/, the tests' page under /."""
    with serving({"/percepnet/": WEB, "/": PAGE}) as site:
        yield site


@pytest.fixture(scope="module")
def browser(site: Site) -> Iterator[Any]:
    """At the tests' page; `page` is what harness.js exports."""
    with browsing() as driver:
        driver.get(f"{site.address}/")
        run(driver, "window.page = await import('/harness.js')")
        yield driver
