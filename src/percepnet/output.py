"""Files that appear under their name only when they are whole, whatever happens meanwhile."""

import errno
import glob
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be removed or renamed
    fcntl = None  # type: ignore[assignment]

_CLOSED: Final = -1


class OutputFile:
    """A raw file under a temporary name; commit() renames it, discard() removes it, and a killed process leaves it.

    What killed processes left of the same target is removed first. The first failure to write is kept as `failure`: it
    would be printed and lost in the callbacks of C libraries. Raises OSError.
    """

    def __init__(self, target: Path) -> None:
        self.target = Path(os.path.realpath(target))  # which, unlike resolve(), knows what to make of circular links
        if self.target.exists():
            check_regular(self.target)
        prefix = f".{_shortened(self.target.name)}."
        _remove_abandoned(self.target.parent, prefix)
        self._part = self.target.with_name(f"{prefix}{secrets.token_hex(4)}.part")
        self._descriptor = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        with suppress(OSError):  # some file systems know no locks: what a killed process leaves there stays
            _lock(self._descriptor)
        self.failure: BaseException | None = None

    def write(self, contents: bytes) -> int:
        """Appends, and returns how many bytes were taken: fewer after a failure."""
        rest = memoryview(contents)
        try:
            while rest and self.failure is None:
                rest = rest[os.write(self._descriptor, rest) :]
        except BaseException as error:  # noqa: BLE001 - Ctrl-C too, see above
            self.failure = error
        return len(contents) - len(rest)

    def read(self, n: int) -> bytes:
        """At most n bytes; some containers read back what they wrote."""
        return os.read(self._descriptor, n)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves, as files do."""
        return os.lseek(self._descriptor, offset, whence)

    def tell(self) -> int:
        """Where the next byte goes."""
        return os.lseek(self._descriptor, 0, os.SEEK_CUR)

    def commit(self) -> None:
        """Gives the file its name. Raises OSError."""
        os.fsync(self._descriptor)  # some file systems tell only now that the disk is full
        if fcntl is None:
            self._close()
        self._part.replace(self.target)
        self._close()

    def discard(self) -> None:
        """Removes the file, unless it has its name already."""
        self._close()
        self._part.unlink(missing_ok=True)

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, _CLOSED  # its number may be another file's from now on
        if descriptor != _CLOSED:
            os.close(descriptor)


def write_whole(target: Path, contents: bytes) -> None:
    """A file of these contents, or the one that was there before. Raises OSError."""
    file = OutputFile(target)
    try:
        file.write(contents)
        if file.failure is not None:
            raise file.failure
        file.commit()
    finally:
        file.discard()


def check_regular(path: Path) -> None:
    """Raises OSError unless the path is a regular file."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "Not a regular file", str(path))


def _shortened(name: str) -> str:
    """The start of a name, so that more fits behind it: file systems allow 255 bytes."""
    return os.fsencode(name)[:200].decode(errors="ignore")


def _lock(descriptor: int) -> None:
    """Raises OSError if another process has it. The lock goes with the process, however that ends."""
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _remove_abandoned(folder: Path, prefix: str) -> None:
    for part in folder.glob(f"{glob.escape(prefix)}*.part"):
        with suppress(OSError):  # it is in use, or gone by now
            _remove_unused(part)


def _remove_unused(part: Path) -> None:
    """Raises OSError if another process has it."""
    if fcntl is None:
        part.unlink()
        return
    descriptor = os.open(part, os.O_RDWR)
    try:
        _lock(descriptor)
        part.unlink()
    finally:
        os.close(descriptor)
