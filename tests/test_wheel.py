"""The wheel stands alone: built from the checkout, used where there is none."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import soundfile

import percepnet

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder), str(ROOT)]
    subprocess.run(build, check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def repaired(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repaired")
    subprocess.run([sys.executable, "-m", "auditwheel", "repair", "--wheel-dir", str(folder), str(wheel)], check=True)
    return next(folder.iterdir())


@pytest.mark.slow
def test_wheel_is_for_any_python_of_one_platform(wheel: Path) -> None:
    assert wheel.name.startswith(f"percepnet-{percepnet.__version__}-py3-none-")


@pytest.mark.slow
def test_wheel_is_for_many_linuxes_and_small(repaired: Path) -> None:
    assert repaired.name.startswith(f"percepnet-{percepnet.__version__}-py3-none-manylinux_2_")
    assert repaired.stat().st_size < 15e6


@pytest.mark.slow
def test_wheel_enhances_a_file_in_an_empty_environment_without_a_compiler(repaired: Path, empty: Path) -> None:
    assert enhanced_by(repaired, empty, {"CC": "/nowhere", "CXX": "/nowhere"}) == expected_samples()


@pytest.mark.slow
def test_sdist_enhances_a_file(empty: Path, tmp_path: Path) -> None:
    build = "import sys; from scikit_build_core.build import build_sdist; print(build_sdist(sys.argv[1]))"
    command = [sys.executable, "-c", build, str(tmp_path)]
    name = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()[-1]

    assert (tmp_path / name).stat().st_size < 15e6
    assert enhanced_by(tmp_path / name, empty, {}) == expected_samples()


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """An environment with nothing in it, and the sample recording."""
    folder = tmp_path / "empty"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    shutil.copy(ROOT / "examples" / "noisy_speech.flac", folder / "a.flac")
    return folder


def enhanced_by(package: Path, folder: Path, more: dict[str, str]) -> bytes:
    """What `percepnet enhance` makes of the recording where this package, what it needs and no checkout is installed."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PERCEPNET", "VIRTUAL_ENV"))}
    python, environment = [str(folder / "bin" / "python")], own | more
    subprocess.run([*python, "-m", "pip", "install", "--quiet", str(package)], cwd=folder, env=environment, check=True)
    command = [str(folder / "bin" / "percepnet"), "enhance", "a.flac"]
    subprocess.run(command, cwd=folder, env=environment, check=True)
    samples: bytes = soundfile.read(folder / "a.clean.flac", dtype="int16")[0].tobytes()
    return samples


def expected_samples() -> bytes:
    samples, sample_rate = soundfile.read(ROOT / "examples" / "noisy_speech.flac", dtype="int16")
    enhanced: bytes = percepnet.enhance(samples, sample_rate).tobytes()
    return enhanced


@pytest.mark.slow
def test_wheel_carries_the_page_of_studio(wheel: Path) -> None:
    if not (ROOT / "web" / "percepnet.wasm").exists():
        pytest.skip("not built: make web")
    names = set(zipfile.ZipFile(wheel).namelist())

    assert {f"percepnet/web/{name}" for name in ("percepnet.wasm", "worklet.js", "index.js", "demo/index.html")} <= names
    assert [name for name in names if name.endswith("default.pnw")] == ["percepnet/models/default.pnw"]


@pytest.mark.slow
def test_wheel_contains_the_package_and_nothing_else(wheel: Path) -> None:
    listing = subprocess.run([sys.executable, "-m", "zipfile", "-l", str(wheel)], capture_output=True, text=True, check=True)
    names = {line.split()[0] for line in listing.stdout.splitlines()[1:]}
    inside = {name for name in names if name.startswith("percepnet/")}
    page = {name for name in inside if name.startswith("percepnet/web/")}  # where `make web` was run; has its own test
    expected = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src" / "percepnet").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert inside - page == expected
    assert {name.split("/")[0] for name in names - inside} == {f"percepnet-{percepnet.__version__}.dist-info"}
