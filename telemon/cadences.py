"""How long one ring lasts, by country, and how many rings a wait was.

A caller hears the ringing tone of ITU-T E.180/Q.35, whose national cadences are listed in E.180 Supplement 2. The
figures are the ``ring`` tones (not the bell's ``ringcadence``) of Asterisk's
``configs/samples/indications.conf.sample``; CA, CY, HR, IE, LU, MQ, MT, PF, PM, RE, RO, SI, SK and YT, which it
lacks, are those of spandsp's ``global-tones.xml``. Cyprus has two tones: the 425 Hz one is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from telemon.errors import ConfigError

if TYPE_CHECKING:
    from telemon.instants import Duration

_MILLISECOND: Final[Duration] = 1_000
# Tone and silence, alternately, in milliseconds: ISO 3166 codes of the countries that ring so (UK beside GB).
_CADENCES: Final[dict[tuple[int, ...], str]] = {
    (1500, 3500): "FR MQ PF PM RE YT",
    (1000, 4000): "BG BR CH CN CZ DE DK EE FI GR HR IT LT LU MX NL NO PL SI SK",
    (1000, 5000): "AT PT SE",
    (1000, 3000): "BE CL IL",
    (1000, 2000): "JP TW",
    (1500, 3000): "CY ES",
    (1250, 3750): "HU",
    (2000, 4000): "CA RO US",
    (400, 200, 400, 2000): "AU GB IE IN MT MY NZ SG UK ZA",
}
_CYCLES: Final[dict[str, Duration]] = {
    country: sum(cadence) * _MILLISECOND for cadence, countries in _CADENCES.items() for country in countries.split()
}
COUNTRIES: Final = tuple(sorted(_CYCLES))


def ring_cycle(country: str) -> Duration:
    """Return one tone and its silence in microseconds, for an ISO 3166 code in either case.

    Raises:
        ConfigError: the country's cadence is not known.
    """
    cycle = _CYCLES.get(country.upper())
    if cycle is None:
        raise ConfigError(f'no ring cadence is known for country "{country}": use one of {", ".join(COUNTRIES)}')
    return cycle


def rings(duration: Duration, cycle: Duration) -> int:
    """Return how many rings had begun by the end of ``duration``: the first begins at once, the next a cycle later."""
    return duration // cycle + 1


def rings_if_any(duration: Duration | None, cycle: Duration) -> int | None:
    """Return the same, or None of a call for which nothing rang."""
    return None if duration is None else rings(duration, cycle)
