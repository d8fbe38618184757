"""The node for minutes, and a hundred nodes: no drop-out, no leak. For a machine with nothing else to do."""

from __future__ import annotations

from typing import Any

import pytest

import signals
from browsers import Site, needs_browser, page_process, run

pytestmark = [needs_browser, pytest.mark.soak]

MINUTES = 2.0


def test_no_drop_out_in_two_minutes(browser: Any, site: Site) -> None:
    site.offer("recording", signals.at_snr(signals.speech_like(8.0), signals.noise(8.0), 5))
    browser.set_script_timeout(60 * MINUTES + 120)
    browser.command_executor.client_config.timeout = 60 * MINUTES + 180  # of the driver's own connection

    facts = run(browser, "return page.endure('recording', args[0])", 60 * MINUTES)

    assert facts["errors"] == []
    assert facts["underruns"] in (0, None)  # None: this browser does not count them
    assert facts["played_s"] == pytest.approx(facts["passed_s"], abs=0.1)
    assert facts["hops"] == pytest.approx(100 * facts["passed_s"], abs=20)


def page_memory(browser: Any) -> int:
    """Bytes that the page's process has for itself, after a garbage collection."""
    run(browser, "await page.collect()")
    lines = (page_process(browser) / "smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith(("Private_Dirty", "Private_Clean")))


def test_a_hundred_nodes_leave_no_memory_behind(browser: Any) -> None:
    run(browser, "await page.cycle(10)")
    after_ten = page_memory(browser)
    run(browser, "await page.cycle(90)")

    assert page_memory(browser) - after_ten < 2e6
