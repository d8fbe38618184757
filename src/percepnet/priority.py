"""How urgent sound is to the system."""

import os
from contextlib import suppress
from typing import Final

NICE: Final = -11  # that of sound servers


def raise_priority() -> None:
    """Puts this thread, and those that it starts from now on, before others; where that is not allowed it stays among them."""
    with suppress(OSError, AttributeError):  # a right that one lacks, a system that has no such call
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
