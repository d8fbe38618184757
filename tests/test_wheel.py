"""The wheel stands alone: built from the checkout, used where there is none."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import percepnet

ROOT = Path(__file__).parents[1]
CODE = """
import sys, numpy as np, percepnet
from percepnet import _core
model = percepnet.load_model(sys.argv[1])
noise = np.random.default_rng(1).standard_normal((2, 4410)).astype(np.float32) / 10
enhanced = percepnet.enhance(noise, 44100, model=model)
print(percepnet.__file__, _core._library._name, enhanced.shape, enhanced.dtype)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder), str(ROOT)]
    subprocess.run(build, check=True)
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_wheel_is_for_any_python_of_one_platform(wheel: Path) -> None:
    assert wheel.name.startswith(f"percepnet-{percepnet.__version__}-py3-none-")


@pytest.mark.slow
def test_wheel_is_for_many_linuxes_and_small(wheel: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "auditwheel", "repair", "--wheel-dir", str(tmp_path), str(wheel)], check=True)

    [repaired] = tmp_path.iterdir()
    assert repaired.name.startswith(f"percepnet-{percepnet.__version__}-py3-none-manylinux_2_")
    assert repaired.stat().st_size < 15e6


@pytest.mark.slow
def test_wheel_carries_the_page_of_studio(wheel: Path) -> None:
    if not (ROOT / "web" / "percepnet.wasm").exists():
        pytest.skip("not built: make web")
    names = set(zipfile.ZipFile(wheel).namelist())

    assert {f"percepnet/web/{name}" for name in ("percepnet.wasm", "worklet.js", "index.js", "demo/index.html")} <= names
    assert [name for name in names if name.endswith("default.pnw")] == ["percepnet/models/default.pnw"]


@pytest.mark.slow
def test_wheel_enhances_without_a_checkout(wheel: Path, tmp_path: Path, model_paths: list[Path]) -> None:
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(wheel)]
    subprocess.run(install, check=True)
    environment = {name: value for name, value in os.environ.items() if name != "PERCEPNET_LIBRARY"}
    environment["PYTHONPATH"] = os.pathsep.join([str(site), str(Path(np.__file__).parents[1])])

    result = subprocess.run(
        [sys.executable, "-S", "-c", CODE, str(model_paths[2])],  # -S: an editable install would come first
        cwd=empty,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    home = str(site / "percepnet")
    assert result.stdout.split(maxsplit=2)[:2] == [f"{home}/__init__.py", f"{home}/libpercepnet.so"]
    assert result.stdout.endswith("(2, 4410) float32\n")


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
