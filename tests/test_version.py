"""One version, in four places."""

import re
from pathlib import Path

import percepnet
from percepnet import _core

ROOT = Path(__file__).parents[1]


def test_core_has_the_version_of_the_package() -> None:
    assert _core.version() == percepnet.__version__


def test_changelog_begins_with_the_version_of_the_package() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", changelog, re.MULTILINE)

    assert versions[0] == percepnet.__version__
