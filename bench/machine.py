"""What a measurement was made on: every table in bench/ states it."""

import os
import platform
import subprocess
from pathlib import Path


def processor() -> str:
    """The processor's own name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def commit() -> str:
    """Short hash of the checkout, "+" if files differ from it; "unknown" outside one."""
    git = ("git", "-C", str(Path(__file__).parent))
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    if head.returncode:
        return "unknown"
    changed = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=False).stdout
    return head.stdout.strip() + ("+" if changed else "")


def describe() -> dict[str, str]:
    """Processor, number of cores, system, Python and commit."""
    return {
        "processor": processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "commit": commit(),
    }


def line() -> str:
    """describe() as a line of text."""
    return ", ".join(f"{name} {value}" for name, value in describe().items())
