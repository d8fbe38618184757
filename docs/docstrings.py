"""For the reference: lines `name: text` of a docstring become a list, which they are for people who read the code."""

import re
from typing import Any

import griffe

ITEM = re.compile(r"^((?:\w+)(?:, \w+)*): ")


class Lists(griffe.Extension):
    """Sees every object of the package once."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrites its docstring."""
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(text: str) -> str:
    """Paragraphs stay; an item is a line that starts with `name: `, and the indented lines behind it."""
    lines: list[str] = []
    for line in text.splitlines():
        item = ITEM.match(line)
        if item and not (lines and lines[-1].startswith(("- ", "    "))):
            lines.append("")
        names = ", ".join(f"`{name}`" for name in item[1].split(", ")) if item else ""
        lines.append(f"- {names}: {line[item.end() :]}" if item else line)
    return "\n".join(lines)
