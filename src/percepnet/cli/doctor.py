"""percepnet doctor and percepnet models: what runs here."""

import json
from typing import Annotated, Any

import typer

from percepnet.cli import options as shared


def doctor(as_json: shared.Json = False) -> None:
    """Prints one block to paste into a report: versions, processor, kernel, models, time per hop, extras, audio devices."""
    from percepnet.doctor import examine

    found = examine()
    typer.echo(json.dumps(found, indent=1) if as_json else "\n".join(_lines(found)))


def _lines(found: dict[str, Any], indent: str = "") -> list[str]:
    lines = []
    for name, value in found.items():
        title = f"{indent}{name.replace('_', ' ')}:"
        if isinstance(value, dict):
            lines += [title, *_lines(value, indent + "  ")]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            lines += [title, *(f"{indent}  {_model_line(row)}" for row in value)]
        else:
            text = (", ".join(map(str, value)) or "none") if isinstance(value, list) else value
            lines.append(f"{title} {text}")
    return lines


def _model_line(row: dict[str, Any]) -> str:
    if row["id"] is None:
        return f"{row['name']}: {row['status']}"
    return f"{row['name']}: {row['id']}, {row['n_weights']} weights, {row['licence']}, sha256 {row['sha256']}: {row['status']}"


def models(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME|FILE...]", help="Without: all shipped.")] = None,
    as_json: shared.Json = False,
) -> None:
    """Lists models and verifies them: each file's own checksum, and that it is the one that was installed."""
    from percepnet.doctor import check_models

    rows = check_models(names or None)
    typer.echo(json.dumps(rows, indent=1) if as_json else "\n".join(map(_model_line, rows)))
    if any(row["status"] != "ok" for row in rows):
        raise typer.Exit(shared.EXIT_MODEL)
