"""The sound files of what telemon says on the phone, spoken by espeak-ng: French and English, 8 kHz 16-bit mono WAV.

They lie in ``<language>/telemon/`` of Asterisk's folder of sounds, where it looks for ``telemon/…`` in a channel's
language (main/file.c, ``fileexists_core``).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import wave
from array import array
from collections import Counter
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from telemon.agi.line import Prompt
from telemon.agi.sound import RATE, to_telephone
from telemon.agi.voice import file_name
from telemon.errors import ConfigError, TelemonError
from telemon.texts import LANGUAGES, catalogue, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from telemon.duty_records import Officer

FOLDER: Final = "telemon"
MANIFEST: Final = ".made-by-telemon.json"
_VOICES: Final = {"fr": "fr-fr", "en": "en-gb"}
_WORDS_A_MINUTE: Final = 150
_SECONDS: Final = 30.0


class Fate(StrEnum):
    """What became of one file."""

    MADE = "made"
    UNCHANGED = "unchanged"
    KEPT = "kept"  # a recording of the site's own
    REMOVED = "removed"  # the name of an officer who is no longer in the configuration


def make_prompts(
    sounds: Path, officers: Iterable[Officer], *, overwrite: bool = False, report: Callable[[Path], None]
) -> Counter[Fate]:
    """Make the files that are missing or say something else by now, and tell how many were made.

    A file that is not telemon's own is kept unless ``overwrite``. ``report`` is told of each file made.

    Raises:
        ConfigError: espeak-ng is not installed.
        TelemonError: it fails, or a file cannot be written.
    """
    if shutil.which("espeak-ng") is None:
        raise ConfigError(text()("presence.no_espeak"))
    fates: Counter[Fate] = Counter()
    names = {f"name-{officer.id}": officer.name for officer in officers}
    for language in LANGUAGES:
        spoken = {file_name(prompt): catalogue(language)[prompt] for prompt in Prompt} | names
        try:
            fates += _make_language(sounds / language / FOLDER, language, spoken, overwrite=overwrite, report=report)
        except OSError as error:
            values = {"folder": sounds / language / FOLDER, "reason": error.strerror or error}
            raise TelemonError(text()("presence.unwritable", **values)) from error
    return fates


def _make_language(
    folder: Path, language: str, spoken: Mapping[str, str], *, overwrite: bool, report: Callable[[Path], None]
) -> Counter[Fate]:
    for place in (folder.parent, folder):
        if not place.exists():
            place.mkdir(parents=True)
            place.chmod(0o755)  # for Asterisk's user, whatever the umask
    manifest = _Manifest(folder / MANIFEST)
    fates: Counter[Fate] = Counter()
    try:
        for name, words in spoken.items():
            path = folder / f"{name}.wav"
            source = f"{_VOICES[language]} {_WORDS_A_MINUTE} {words}"
            fate = Fate.MADE if overwrite else manifest.fate(path, source)
            if fate is Fate.MADE:
                _write(path, _spoken(words, _VOICES[language]))
                manifest.note(path, source)
                report(path)
            fates[fate] += 1
        fates[Fate.REMOVED] += manifest.remove_others({f"{name}.wav" for name in spoken})
    finally:
        manifest.save()
    return fates


class _Manifest:
    """Which files telemon made, with the words and the digest of each: it changes no others."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._made: dict[str, list[str]] = json.loads(path.read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            self._made = {}

    def fate(self, path: Path, source: str) -> Fate:
        if not path.exists():
            return Fate.MADE
        told, digest = self._made.get(path.name, ("", ""))
        if _digest(path) != digest:
            return Fate.KEPT
        return Fate.UNCHANGED if told == source else Fate.MADE

    def note(self, path: Path, source: str) -> None:
        self._made[path.name] = [source, _digest(path)]

    def remove_others(self, wanted: set[str]) -> int:
        """Remove what telemon made and nobody needs any more, and return how many files that were."""
        removed = 0
        for name in self._made.keys() - wanted:
            path = self._path.with_name(Path(name).name)
            if path.exists() and _digest(path) == self._made[name][1]:
                path.unlink()
                removed += 1
            del self._made[name]
        return removed

    def save(self) -> None:
        self._path.write_text(json.dumps(self._made, ensure_ascii=False, indent=1, sort_keys=True) + "\n", "utf-8")


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def _spoken(words: str, voice: str) -> array[int]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "spoken.wav")
        command = ["espeak-ng", "-v", voice, "-s", str(_WORDS_A_MINUTE), "-w", str(file), "--stdin"]
        try:
            subprocess.run(  # noqa: S603 - fixed words; what is said comes over its input
                command, input=words.encode(), capture_output=True, check=True, timeout=_SECONDS
            )
            with wave.open(str(file), "rb") as sound:
                samples = array("h", sound.readframes(sound.getnframes()))
                return to_telephone(samples, sound.getframerate())
        except (subprocess.SubprocessError, OSError, wave.Error, EOFError) as error:
            said = getattr(error, "stderr", None) or b""
            reason = said.decode("utf-8", "replace").strip() or str(error)
            raise TelemonError(text()("presence.espeak_failed", words=words, reason=reason)) from error


def _write(path: Path, samples: array[int]) -> None:
    """Write the file in one go: Asterisk may be playing the old one."""
    partial = path.with_suffix(".partial")
    try:
        with wave.open(str(partial), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(RATE)
            sound.writeframes(samples.tobytes())
        partial.chmod(0o644)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
