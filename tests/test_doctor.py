"""percepnet doctor and percepnet models: what they say is so."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import percepnet
from percepnet import doctor
from percepnet.cli import app

ROOT = Path(__file__).parents[1]


def test_doctor_prints_what_a_report_needs() -> None:
    result = CliRunner().invoke(app, ["doctor"])

    model = percepnet.load_model()
    wanted = [
        f"percepnet: {percepnet.__version__}",
        f"kernel: {model.isa}",
        model.sha256,
        "ok",
        "extras:",
        "microphones:",
        "median:",
    ]
    assert result.exit_code == 0
    assert [text for text in wanted if text not in result.stdout] == []


def test_doctor_may_be_read_by_machines() -> None:
    found = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)

    assert (found["percepnet"], found["models"][0]["sha256"]) == (percepnet.__version__, percepnet.load_model().sha256)


def test_extras_are_those_of_the_package() -> None:
    listed = (ROOT / "pyproject.toml").read_text(encoding="utf-8").split("[project.optional-dependencies]")[1].split("\n[")[0]
    names = set(re.findall(r"^(\w+) = \[", listed, re.MULTILINE)) - {"dev"}

    assert set(doctor.EXTRAS) == names


def test_missing_extra_comes_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "EXTRAS", {"media": "no_such_package"})

    assert doctor.extras() == {"media": 'missing: pip install "percepnet[media]"'}


def test_models_are_listed() -> None:
    result = CliRunner().invoke(app, ["models"])

    models = {name: percepnet.load_model(name) for name in ("default", "full", "tiny")}
    facts = {name: f"{m.id}, {m.n_weights} weights, {m.licence}, sha256 {m.sha256}" for name, m in models.items()}
    assert (result.exit_code, result.stdout) == (0, "".join(f"{name}: {text}: ok\n" for name, text in facts.items()))


def test_damaged_model_is_found(tmp_path: Path) -> None:
    damaged = bytearray(percepnet.load_model().contents)
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / "m.pnw").write_bytes(damaged)

    result = CliRunner().invoke(app, ["models", "default", str(tmp_path / "m.pnw")])

    assert (result.exit_code, "checksum does not match" in result.stdout) == (4, True)


def test_exchanged_model_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_recorded_sha256", lambda _: "0" * 64)

    result = CliRunner().invoke(app, ["models"])

    assert (result.exit_code, "not the file that was installed" in result.stdout) == (4, True)
