"""The tapes of the site PREFECTURE, recorded from a real Asterisk, cut into parts and found by what happens in them.

A file's name says it: ``etrangers.no_answer.moved.answered2`` is a call to that service in which a phone rings out,
another one rings while the queue's time runs out and the call moves on to the second queue, where it is answered.
``tests/lab/capture/tapes.py`` records them.
"""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from simulators.ami.cutting import cut
from simulators.ami.learning import learn
from telemon.errors import TelemonError
from telemon.texts import text

if TYPE_CHECKING:
    from simulators.ami.tape import Tape

TAPES = Path(__file__).parent / "tapes"
OPENING = "opening"
_ENDING = ".ami.gz"
# Parts of calls that never come to wait: they are the opening and the ending at once.
_WHOLE = ("announced", "announced_left", "greeting_left")
# On every tape, operators transfer to this number.
_EXTENSIONS = {"3001": "svc1"}


class Library:
    """The tapes of one version of Asterisk."""

    def __init__(self, version: str = "22") -> None:
        """Look what there is; a tape is read when it is first asked for.

        Raises:
            TelemonError: there are no tapes of that version.
        """
        self._folder = TAPES / version
        self._files: dict[tuple[str, str], str] = {}
        for file in sorted(self._folder.glob(f"*{_ENDING}")):
            name = file.name.removesuffix(_ENDING)
            service, *parts = name.split(".")
            for part in parts:
                self._files.setdefault((service, part), name)
            if parts[0] not in _WHOLE:
                self._files.setdefault((service, OPENING), name)
        if not self._files:
            known = ", ".join(sorted(folder.name for folder in TAPES.iterdir()))
            raise TelemonError(text()("sim_ami.no_tapes", version=version, known=known))

    def part(self, service: str, name: str) -> Tape:
        """Return a part of a call to this service.

        Raises:
            TelemonError: no tape has it.
        """
        file = self._files.get((service, name))
        if file is None:
            raise TelemonError(text()("sim_ami.no_part", service=service, name=name))
        if name in _WHOLE or name == OPENING:
            return _parts(self._folder, file)[0]
        return _parts(self._folder, file)[1 + file.split(".")[1:].index(name)]


@cache
def _parts(folder: Path, file: str) -> list[Tape]:
    names = file.split(".")[1:]
    parts = cut(learn(gzip.decompress((folder / f"{file}{_ENDING}").read_bytes()), extensions=_EXTENSIONS))
    if len(parts) != (1 if names[0] in _WHOLE else 1 + len(names)):
        raise TelemonError(text()("sim_ami.wrong_parts", file=file, count=len(parts)))
    return parts
