"""Coverage-guided fuzzers of the core (libFuzzer, which comes with clang): how they are built, fed and run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np

from networks import Tensors, random_tensors, random_tracker, without_blocks
from percepnet.training.export import read_weights, write_weights
from percepnet.training.int8 import Tensor, quantise, quantise_tensors

ROOT = Path(__file__).parents[1]
TARGETS = ("weights", "interface")
SANITIZERS = "address,undefined,float-cast-overflow"
FLAGS = (
    "-std=c++17",
    "-O1",
    "-g",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-omit-frame-pointer",
    "-fno-sanitize-recover=all",
)
MOST_BYTES = {"weights": 1 << 15, "interface": 600}  # of an input
READER = ("weights.cpp", "network.cpp")  # the only comparisons that the fuzzer looks into: in loops over samples they cost most
SIZES = (4, 8, 4)  # dense, hidden, strength: a file of some kilobytes, so that its table is much of it
SPARSE_SIZES = (8, 16, 16)  # blocks are stored where they fill strips of 16 rows
TRAINED = ROOT / "docs" / "runs" / "run5.pnw"  # percepnet-48k-v4 in float32


def missing(folder: Path) -> str:
    """Why fuzzers cannot be built here; empty if they can."""
    if not shutil.which("clang++"):
        return "no clang++"
    source, program = folder / "empty.cpp", folder / "empty"
    source.write_text('extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }')
    command = ["clang++", f"-fsanitize=fuzzer,{SANITIZERS}", "-o", program, source]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if built.returncode == 0 else f"clang++ has no libFuzzer: {built.stderr.strip()}"


def build(folder: Path) -> None:
    """folder/weights and folder/interface, with the core in them."""
    objects = folder / "objects"
    objects.mkdir()
    core = set((ROOT / "native" / "src").glob("*.cpp"))
    reader = {path for path in core if path.name in READER}
    compiler = ["clang++", *FLAGS, f"-fsanitize=fuzzer-no-link,{SANITIZERS}", "-c"]
    subprocess.run([*compiler, *sorted(reader)], cwd=objects, check=True)
    subprocess.run([*compiler, "-fno-sanitize-coverage=trace-cmp", *sorted(core - reader)], cwd=objects, check=True)
    for target in TARGETS:
        source = ROOT / "tests" / "soak" / f"fuzz_{target}.cpp"
        link = ["-o", folder / target, source, *sorted(objects.glob("*.o"))]
        subprocess.run(["clang++", *FLAGS, f"-fsanitize=fuzzer,{SANITIZERS}", *link], check=True)


def cut(tensors: Tensors) -> Tensors:
    """The first SIZES units of every layer, of a network with one scalar input and a speech head."""
    dense, hidden, strength = SIZES

    def part(name: str, rows: int, columns: int, row_groups: int = 1, column_groups: int = 1) -> np.ndarray:
        grouped = tensors[name].reshape(row_groups, tensors[name].shape[0] // row_groups, column_groups, -1)
        return np.ascontiguousarray(grouped[:, :rows, :, :columns].reshape(row_groups * rows, column_groups * columns))

    shapes = {
        "dense": (dense, 73, 1, 1),
        "conv1": (hidden, dense, 1, 5),
        "conv2": (hidden, hidden, 1, 3),
        "gains": (34, hidden, 1, 5),
        "strengths": (34, strength, 1, 1),
        "speech": (1, hidden, 1, 5),
    }
    small = {name: tensors[name] for name in ("features.mean", "features.scale")}
    for name, (rows, columns, row_groups, column_groups) in shapes.items():
        small[f"{name}.weight"] = part(f"{name}.weight", rows, columns, row_groups, column_groups)
        small[f"{name}.bias"] = part(f"{name}.bias", 1, rows)
    for gru in ("gru1", "gru2", "gru3", "gru_gain", "gru_strength"):
        size = strength if gru == "gru_strength" else hidden
        small[f"{gru}.input_weight"] = part(f"{gru}.input_weight", size, hidden, 3, 2 if gru == "gru_strength" else 1)
        small[f"{gru}.recurrent_weight"] = part(f"{gru}.recurrent_weight", size, size, 3)
        for name in ("input_bias", "recurrent_bias"):
            small[f"{gru}.{name}"] = part(f"{gru}.{name}", 1, size, 1, 3)
    return small


def weight_files() -> dict[str, bytes]:
    """A small network in every kind that an export can write."""
    trained, bare = cut(read_weights(TRAINED.read_bytes())), random_tensors(speech=False, sizes=SIZES)
    kinds: dict[str, dict[str, Tensor]] = {
        "int8": quantise_tensors(trained),
        "float32": dict(trained),
        "sparse": quantise_tensors(without_blocks(random_tensors(dereverb=True, sizes=SPARSE_SIZES), 0.4)),
        "bare": dict(bare),
        "bare-int8": quantise_tensors(bare),
        "tracker": quantise_tensors(bare | random_tracker(dense=5, hidden=6)),
        "cues": quantise_tensors(random_tensors(speech=False, sizes=SIZES, cues=346 + 6) | random_tracker(dense=5, hidden=6)),
    }
    return {kind: write_weights(tensors, i % 4, {"id": kind}) for i, (kind, tensors) in enumerate(kinds.items())}


def write_models(folder: Path) -> list[Path]:
    """weight_files() as files."""
    files = weight_files()
    for kind, contents in files.items():
        (folder / f"{kind}.pnw").write_bytes(contents)
    return [folder / f"{kind}.pnw" for kind in files]


def single_tensors() -> dict[str, bytes]:
    """One tensor of each kind: no network, but a table that is soon read to its end."""
    matrix = np.outer(np.arange(20), np.arange(8) == 3).astype(np.float32)
    kinds: dict[str, Tensor] = {"float32": matrix, "int8": quantise(matrix + 1), "sparse": quantise(matrix)}
    return {f"one-{kind}": write_weights({"x": tensor}, 2, {}) for kind, tensor in kinds.items()}


def seeds(target: str, folder: Path) -> Path:
    """Inputs to begin with, in a new folder in this one."""
    corpus, rng = folder / f"{target}-seeds", np.random.default_rng(0)
    corpus.mkdir()
    programs = {str(i): rng.bytes(MOST_BYTES[target] // 2) for i in range(40)}
    for name, contents in (weight_files() | single_tensors() if target == "weights" else programs).items():
        (corpus / name).write_bytes(contents)
    return corpus


def fuzz(folder: Path, target: str, *limits: str) -> subprocess.CompletedProcess[str]:
    """Runs what build() made of the folder, with libFuzzer's options; an input that breaks it stays in ROOT/build/fuzz."""
    found, broken = folder / f"{target}-found", ROOT / "build" / "fuzz"
    for made in (found, broken):
        made.mkdir(parents=True, exist_ok=True)
    options = (f"-max_len={MOST_BYTES[target]}", f"-artifact_prefix={broken}/{target}-", "-print_final_stats=1")
    return subprocess.run(
        [folder / target, *options, *limits, found, seeds(target, folder)],
        env=os.environ | {"PERCEPNET_FUZZ_MODELS": ":".join(map(str, write_models(folder)))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def summary(output: str) -> str:
    """How many inputs were tried, and what of the code they reached."""
    done = [line.split() for line in output.splitlines() if "DONE" in line][-1]
    n_inputs, edges, features = done[0].lstrip("#"), done[done.index("cov:") + 1], done[done.index("ft:") + 1]
    return f"{n_inputs} inputs, {edges} edges of the code, {features} features of them"
