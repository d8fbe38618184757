"""EnhanceBatch as an actor class of Ray Data: two actors, one of which is killed. Arguments: a folder to read, one to write."""

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import ray

from percepnet.batch import EnhanceBatch

N_BEFORE_KILL = 3


class Noted(EnhanceBatch):
    """Leaves its process number beside the outputs."""

    def __init__(self, out_dir: str, **options: Any) -> None:
        super().__init__(out_dir, **options)
        (Path(out_dir) / f"{os.getpid()}.pid").touch()


def kill_one(out: Path) -> None:
    """As soon as some files are done."""
    while len(list(out.rglob("*.clean.wav"))) < N_BEFORE_KILL:
        time.sleep(0.01)
    victim = min(out.glob("*.pid"))
    os.kill(int(victim.stem), signal.SIGKILL)
    victim.with_suffix(".killed").touch()


def main(source: Path, out: Path) -> None:
    """Prints each file's status and the number of actors that there were."""
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100 * 2**20)
    threading.Thread(target=kill_one, args=(out,), daemon=True).start()
    rows = ray.data.from_items([{"audio_filepath": str(path)} for path in sorted(source.glob("*.wav"))], override_num_blocks=8)
    cleaned = rows.map_batches(
        Noted,
        fn_constructor_kwargs={"out_dir": str(out), "base": str(source)},
        batch_size=1,
        batch_format="numpy",
        concurrency=2,
        num_cpus=1,
    )
    for row in cleaned.take_all():
        print(row["status"], row["error"])
    print("actors", len(list(out.glob("*.pid"))), "killed", len(list(out.glob("*.killed"))))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
