"""The same model gives the same bits on other processors: built with zig, run in an emulator.

Each test builds tests/native/identity.cpp with the whole core: minutes at the first time, on the compiler's cache later.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from networks import random_tensors, random_tracker, without_blocks
from percepnet import _core
from percepnet.training.export import write_weights
from percepnet.training.int8 import quantise_tensors
from windows import Windows

ROOT = Path(__file__).parents[1]
FLAGS = ("-O2", "-std=c++17", "-ffp-contract=off", "-fno-math-errno")
NODE_RUNNER = "const {WASI} = require('node:wasi'), fs = require('node:fs'); const [program, folder] = process.argv.slice(1); \
const wasi = new WASI({version: 'preview1', args: ['identity', '/model/model.pnw'], preopens: {'/model': folder}}); \
WebAssembly.instantiate(fs.readFileSync(program), wasi.getImportObject()).then(({instance}) => wasi.start(instance))"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sizes that fill no block of any kernel; some layers are block-sparse."""
    path = tmp_path_factory.mktemp("model") / "model.pnw"
    tensors = random_tensors(sizes=(33, 50, 17), cues=346 + 50) | random_tracker(dense=33, hidden=50)
    path.write_bytes(write_weights(quantise_tensors(without_blocks(tensors, 0.4)), 2, {}))
    return path


def build(target: str, folder: Path, *flags: str) -> Path:
    """The identity program for a target of zig's; skips without the compiler."""
    pytest.importorskip("ziglang")
    program = folder / "identity"
    sources = [ROOT / "tests" / "native" / "identity.cpp", *sorted((ROOT / "native" / "src").glob("*.cpp"))]
    command = [sys.executable, "-m", "ziglang", "c++", "-target", target, *FLAGS, *flags, "-o", program, *sources]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    return program


def output(*command: object) -> list[str]:
    """[instruction set, hash]."""
    text = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout
    return text.split()


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program for this machine, by the system's compiler."""
    if not shutil.which("c++"):
        pytest.skip("no C++ compiler")
    program = tmp_path_factory.mktemp("here") / "identity"
    sources = [ROOT / "tests" / "native" / "identity.cpp", *sorted((ROOT / "native" / "src").glob("*.cpp"))]
    subprocess.run(["c++", *FLAGS, "-o", program, *sources], check=True)
    return program


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program for 64-bit ARM."""
    return build("aarch64-linux-musl", tmp_path_factory.mktemp("arm"), "-static")


@pytest.fixture(scope="module")
def qemu() -> str:
    """The emulator of 64-bit ARM programs."""
    emulator = shutil.which("qemu-aarch64")
    if not emulator:
        pytest.skip("no qemu-aarch64: install qemu-user")
    return emulator


@pytest.fixture(scope="module")
def expected(here: Path, model: Path) -> str:
    """The hash that this machine's portable kernel gives."""
    isa, value = output(here, model, "portable")
    assert isa == "portable"
    return value


def test_every_instruction_set_of_this_machine(here: Path, model: Path, expected: str) -> None:
    outputs = [output(here, model, isa) for isa in _core.ISAS]

    assert {value for _, value in outputs} == {expected}


def test_arm(qemu: str, arm: Path, model: Path, expected: str) -> None:
    outputs = [output(qemu, arm, model, isa) for isa in ("neondot", "neon", "portable")]

    assert outputs == [["neondot", expected], ["neon", expected], ["portable", expected]]


def test_arm_without_dot_product(qemu: str, arm: Path, model: Path, expected: str) -> None:
    assert output(qemu, "-cpu", "cortex-a53", arm, model) == ["neon", expected]


@pytest.mark.parametrize(("processor", "isa"), [("Haswell", "avx2"), ("Nehalem", "sse"), ("qemu64", "portable")])
def test_x86_gets_the_best_kernel_that_it_has(processor: str, isa: str, here: Path, model: Path, expected: str) -> None:
    emulator = shutil.which("qemu-x86_64")
    if not emulator or platform.machine() != "x86_64":
        pytest.skip("no qemu-x86_64: install qemu-user")

    assert output(emulator, "-cpu", processor, here, model) == [isa, expected]


def test_windows(tmp_path: Path, model: Path, expected: str) -> None:
    program = build("x86_64-windows-gnu", tmp_path)
    with Windows(tmp_path / "windows") as machine:
        outputs = [machine.run(program, model, isa).stdout.decode().split() for isa in ("sse", "portable")]

    assert outputs == [["sse", expected], ["portable", expected]]


@pytest.mark.parametrize(("isa", "flags"), [("simd128", ("-msimd128",)), ("portable", ())], ids=["simd128", "portable"])
def test_webassembly(isa: str, flags: tuple[str, ...], tmp_path: Path, model: Path, expected: str) -> None:
    node = shutil.which("node")
    if not node:
        pytest.skip("no node")
    program = build("wasm32-wasi", tmp_path, "-fno-exceptions", *flags)

    assert output(node, "--no-warnings", "-e", NODE_RUNNER, program, model.parent) == [isa, expected]


def test_avx_vnni_with_its_instruction_emulated(tmp_path: Path) -> None:
    if _core.ModelHandle(write_weights(random_tensors(), 2, {})).isa not in ("avx2", "avxvnni", "avx512vnni"):
        pytest.skip("this processor has no AVX2")
    program = tmp_path / "emulated"
    subprocess.run(["c++", *FLAGS, "-o", program, ROOT / "tests" / "native" / "avxvnni_emulated.cpp"], check=True)

    assert output(program) == ["equal"]
