"""The journal's files: one segment after the other, each named by the number of its first record.

``00000000000000000000.journal`` is being written, ``….journal.zst`` is an older one, sealed: compressed, and changed no
more. While both exist, the plain one counts: whatever stopped the sealing, it is whole.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final, NamedTuple

import zstandard

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

PLAIN: Final = ".journal"
SEALED: Final = ".journal.zst"
_UNFINISHED: Final = ".journal.zst.new"
_NAME: Final = re.compile(r"(?P<number>\d{20})\.journal(?P<sealed>\.zst)?", re.ASCII)
_STEP: Final = 1 << 20  # bytes compressed at a time
_LEVEL: Final = 3  # zstd's own default; more costs the daemon's time and gains little on AMI


class Segment(NamedTuple):
    """One file of the journal; ``number`` is at most that of its first record, ``size`` its bytes on disk."""

    number: int
    path: Path
    size: int

    @property
    def sealed(self) -> bool:
        """Whether it is compressed."""
        return self.path.name.endswith(SEALED)


def plain_path(folder: Path, number: int) -> Path:
    """Return the name of the segment that begins with this record."""
    return folder / f"{number:020}{PLAIN}"


def segments_of(folder: Path) -> list[Segment]:
    """Return a folder's segments in order, each once.

    Raises:
        OSError: the folder cannot be read.
    """
    while True:
        try:
            return _list(folder)
        except FileNotFoundError:
            folder.stat()  # it is there: a segment was sealed or purged meanwhile


def _list(folder: Path) -> list[Segment]:
    found: dict[int, Segment] = {}
    for path in sorted(folder.iterdir(), reverse=True):  # the plain one after the sealed one, which it replaces
        name = _NAME.fullmatch(path.name)
        if name is not None:
            number = int(name["number"])
            found[number] = Segment(number, path, path.stat().st_size)
    return [found[number] for number in sorted(found)]


def load(path: Path) -> tuple[bytes, str | None]:
    """Return a segment's bytes; of a damaged compressed one, those before the damage, and what is wrong with it.

    Raises:
        OSError: the file cannot be read.
    """
    packed = path.read_bytes()
    if not path.name.endswith(SEALED):
        return packed, None
    unpacked: list[bytes] = []
    stream = zstandard.ZstdDecompressor().decompressobj()
    try:
        for start in range(0, len(packed), 1 << 14):
            unpacked.append(stream.decompress(packed[start : start + (1 << 14)]))
            if stream.eof:
                return b"".join(unpacked), None
    except zstandard.ZstdError as error:
        return b"".join(unpacked), str(error)
    return b"".join(unpacked), "it ends too early"


def seal(path: Path) -> Generator[None, None, Path]:
    """Compress a segment step by step, and return its new path; nothing is lost wherever this stops.

    Raises:
        OSError: the folder cannot be written; the plain segment is as it was.
    """
    unfinished = path.with_name(path.name.removesuffix(PLAIN) + _UNFINISHED)
    sealed = path.with_name(path.name.removesuffix(PLAIN) + SEALED)
    try:
        with path.open("rb") as source, os.fdopen(_private(unfinished, os.O_WRONLY | os.O_CREAT), "wb") as target:
            before = os.fstat(source.fileno())
            packer = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compressobj(before.st_size)
            while chunk := source.read(_STEP):
                target.write(packer.compress(chunk))
                yield
            target.write(packer.flush())
            target.flush()
            os.utime(target.fileno(), ns=(before.st_atime_ns, before.st_mtime_ns))  # when its records were written
            os.fsync(target.fileno())
        yield
        unfinished.replace(sealed)
    except BaseException:  # stopped half-way included
        unfinished.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    yield
    path.unlink()
    return sealed


def remove(path: Path) -> None:
    """Remove a segment, by whatever name it has by now.

    Raises:
        OSError: the folder cannot be written.
    """
    for suffix in (PLAIN, SEALED):
        path.with_name(path.name.partition(".")[0] + suffix).unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what a seal that was stopped left behind: the half it had made, or a whole one beside the plain segment.

    Raises:
        OSError: the folder cannot be written.
    """
    for path in folder.glob(f"*{_UNFINISHED}"):
        path.unlink()
    for path in folder.glob(f"*{SEALED}"):
        if path.with_name(path.name.removesuffix(SEALED) + PLAIN).exists():
            path.unlink()


def create(path: Path) -> int:
    """Create an empty segment and return its descriptor; its name survives a power cut.

    Raises:
        OSError: it cannot be created.
    """
    descriptor = _private(path, os.O_RDWR | os.O_CREAT)
    try:
        sync_folder(path.parent)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def sync_folder(folder: Path) -> None:
    """Let the folder's names survive a power cut.

    Raises:
        OSError: the disk refuses.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _private(path: Path, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
