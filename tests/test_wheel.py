"""The wheel stands alone: built from the checkout, used where there is none."""

import importlib.metadata
import os
import platform
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import soundfile

import percepnet
from percepnet import _core

ROOT = Path(__file__).parents[1]
ARM64 = 0x100000C


class MachO:
    """What the loader of macOS reads in a library of 64 bits (mach-o/loader.h).

    oldest_system: (major, minor), that it was built for
    needs: the libraries
    """

    def __init__(self, contents: bytes) -> None:
        self.contents = contents
        magic, self.processor, _, _, n_commands = struct.unpack_from("<5I", contents)
        assert magic == 0xFEEDFACF
        self.needs, self.is_signed = [], False
        offset = 32
        for _ in range(n_commands):
            command, size = struct.unpack_from("<2I", contents, offset)
            body = contents[offset : offset + size]
            if command == 0x0C:  # LC_LOAD_DYLIB
                self.needs.append(body[struct.unpack_from("<I", body, 8)[0] :].split(b"\0")[0])
            if command == 0x32:  # LC_BUILD_VERSION
                version = struct.unpack_from("<I", body, 12)[0]
                self.oldest_system = (version >> 16, version >> 8 & 255)
            self.is_signed |= command == 0x1D  # LC_CODE_SIGNATURE
            offset += size


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder), str(ROOT)]
    subprocess.run(build, check=True)
    return next(folder.glob("*.whl"))


def built(platform: str, folder: Path) -> Path:
    """The wheel that `make wheels` builds for a platform."""
    pytest.importorskip("ziglang")
    subprocess.run([sys.executable, str(ROOT / "native" / "build_wheels.py"), str(folder), platform], check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def portable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one for this machine and any other Linux of its kind."""
    if sys.platform != "linux":
        pytest.skip("made on Linux")
    return built(f"manylinux_2_17_{platform.machine()}", tmp_path_factory.mktemp("portable"))


@pytest.mark.slow
def test_wheel_is_for_any_python_of_one_platform(wheel: Path) -> None:
    assert wheel.name.startswith(f"percepnet-{percepnet.__version__}-py3-none-")


@pytest.mark.slow
def test_portable_wheel_keeps_what_its_tag_promises(portable: Path) -> None:
    listing = subprocess.run(
        [sys.executable, "-m", "auditwheel", "show", str(portable)], capture_output=True, text=True, check=True
    )

    assert portable.name == f"percepnet-{percepnet.__version__}-py3-none-manylinux_2_17_{platform.machine()}.whl"
    assert f'"manylinux_2_17_{platform.machine()}".' in listing.stdout
    assert portable.stat().st_size < 15e6


@pytest.mark.slow
def test_wheel_for_macos_needs_what_its_tag_promises(tmp_path: Path) -> None:
    wheel = built("macosx_11_0_arm64", tmp_path)
    library = MachO(zipfile.ZipFile(wheel).read("percepnet/libpercepnet.dylib"))

    assert wheel.name == f"percepnet-{percepnet.__version__}-py3-none-macosx_11_0_arm64.whl"
    assert (library.processor, library.oldest_system, library.needs) == (ARM64, (11, 0), [b"/usr/lib/libSystem.B.dylib"])
    assert library.is_signed  # macOS kills a process that loads ARM code without
    assert all(b"_" + name.encode() + b"\0" in library.contents for name in _core._PROTOTYPES)


@pytest.mark.slow
def test_wheel_enhances_a_file_in_an_empty_environment_without_a_compiler(portable: Path, empty: Path) -> None:
    assert enhanced_by([portable], empty, {"CC": "/nowhere", "CXX": "/nowhere"}) == expected_samples()


@pytest.mark.slow
def test_wheel_enhances_a_file_with_the_oldest_packages_that_it_allows(portable: Path, empty: Path) -> None:
    if sys.version_info >= (3, 13):
        pytest.skip("the oldest numpy allowed is older than this Python")
    metadata = importlib.metadata.PathDistribution(zipfile.Path(portable, f"percepnet-{percepnet.__version__}.dist-info/"))
    oldest = [line.replace(">=", "==") for line in metadata.requires or [] if "extra" not in line]

    assert len(oldest) == 3
    assert enhanced_by([portable, *oldest], empty, {}) == expected_samples()


@pytest.mark.slow
def test_sdist_enhances_a_file(empty: Path, tmp_path: Path) -> None:
    build = "import sys; from scikit_build_core.build import build_sdist; print(build_sdist(sys.argv[1]))"
    command = [sys.executable, "-c", build, str(tmp_path)]
    name = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()[-1]

    assert (tmp_path / name).stat().st_size < 15e6
    assert enhanced_by([tmp_path / name], empty, {}) == expected_samples()


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """An environment with nothing in it, and the sample recording."""
    folder = tmp_path / "empty"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    shutil.copy(ROOT / "examples" / "noisy_speech.flac", folder / "a.flac")
    return folder


def enhanced_by(packages: list[object], folder: Path, more: dict[str, str]) -> bytes:
    """What `percepnet enhance` makes of the recording where these packages, what they need and no checkout is installed."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PERCEPNET", "VIRTUAL_ENV"))}
    python, environment = [str(folder / "bin" / "python")], own | more
    subprocess.run([*python, "-m", "pip", "install", "--quiet", *map(str, packages)], cwd=folder, env=environment, check=True)
    command = [str(folder / "bin" / "percepnet"), "enhance", "a.flac"]
    subprocess.run(command, cwd=folder, env=environment, check=True)
    return samples_of(folder / "a.clean.flac")


def samples_of(path: Path) -> bytes:
    samples: bytes = soundfile.read(path, dtype="int16")[0].tobytes()
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
