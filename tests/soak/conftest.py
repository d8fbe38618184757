"""The fixtures of tests/web, for minutes of real time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from browsers import PAGE, WEB, Site, browsing, run, serving


@pytest.fixture
def site() -> Iterator[Site]:
    with serving({"/percepnet/": WEB, "/": PAGE}) as site:
        yield site


@pytest.fixture
def browser(site: Site) -> Iterator[Any]:
    """At the tests' page, with a garbage collector that can be called."""
    with browsing("--js-flags=--expose-gc") as driver:
        driver.get(f"{site.address}/")
        run(driver, "window.page = await import('/harness.js')")
        yield driver
