"""Public holidays of France, by département: Alsace and Moselle have two more, and each overseas place its own."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import date

_FRANCE: Final = "fr"
# Numbers of the départements and collectivités (INSEE, code officiel géographique) with those days of their own, and
# the subdivision under which the library `holidays` has them.
_OWN_DAYS: Final = {
    "57": ("Moselle", "57"),
    "67": ("Bas-Rhin", "6AE"),
    "68": ("Haut-Rhin", "6AE"),
    "971": ("Guadeloupe", "971"),
    "972": ("Martinique", "972"),
    "973": ("Guyane", "973"),
    "974": ("La Réunion", "974"),
    "975": ("Saint-Pierre-et-Miquelon", "PM"),
    "976": ("Mayotte", "976"),
    "977": ("Saint-Barthélemy", "BL"),
    "978": ("Saint-Martin", "MF"),
    "984": ("Terres australes et antarctiques françaises", "TF"),
    "986": ("Wallis-et-Futuna", "WF"),
    "987": ("Polynésie française", "PF"),
    "988": ("Nouvelle-Calédonie", "NC"),
}
_COMMON_DAYS: Final = """
01 Ain, 02 Aisne, 03 Allier, 04 Alpes-de-Haute-Provence, 05 Hautes-Alpes, 06 Alpes-Maritimes, 07 Ardèche, 08 Ardennes,
09 Ariège, 10 Aube, 11 Aude, 12 Aveyron, 13 Bouches-du-Rhône, 14 Calvados, 15 Cantal, 16 Charente,
17 Charente-Maritime, 18 Cher, 19 Corrèze, 2A Corse-du-Sud, 2B Haute-Corse, 21 Côte-d'Or, 22 Côtes-d'Armor, 23 Creuse,
24 Dordogne, 25 Doubs, 26 Drôme, 27 Eure, 28 Eure-et-Loir, 29 Finistère, 30 Gard, 31 Haute-Garonne, 32 Gers,
33 Gironde, 34 Hérault, 35 Ille-et-Vilaine, 36 Indre, 37 Indre-et-Loire, 38 Isère, 39 Jura, 40 Landes,
41 Loir-et-Cher, 42 Loire, 43 Haute-Loire, 44 Loire-Atlantique, 45 Loiret, 46 Lot, 47 Lot-et-Garonne, 48 Lozère,
49 Maine-et-Loire, 50 Manche, 51 Marne, 52 Haute-Marne, 53 Mayenne, 54 Meurthe-et-Moselle, 55 Meuse, 56 Morbihan,
58 Nièvre, 59 Nord, 60 Oise, 61 Orne, 62 Pas-de-Calais, 63 Puy-de-Dôme, 64 Pyrénées-Atlantiques, 65 Hautes-Pyrénées,
66 Pyrénées-Orientales, 69 Rhône, 70 Haute-Saône, 71 Saône-et-Loire, 72 Sarthe, 73 Savoie, 74 Haute-Savoie, 75 Paris,
76 Seine-Maritime, 77 Seine-et-Marne, 78 Yvelines, 79 Deux-Sèvres, 80 Somme, 81 Tarn, 82 Tarn-et-Garonne, 83 Var,
84 Vaucluse, 85 Vendée, 86 Vienne, 87 Haute-Vienne, 88 Vosges, 89 Yonne, 90 Territoire de Belfort, 91 Essonne,
92 Hauts-de-Seine, 93 Seine-Saint-Denis, 94 Val-de-Marne, 95 Val-d'Oise
"""
_OTHER_NAMES: Final = {_FRANCE: "", "Alsace": "6AE", "Alsace-Moselle": "6AE", "Réunion": "974", "TAAF": "TF"}


@dataclass(frozen=True, slots=True)
class Holidays:
    """The public holidays of one place; ``subdivision`` as the library ``holidays`` names it, "" without own days."""

    subdivision: str = ""

    def is_holiday(self, day: date) -> bool:
        """Whether it is a public holiday there."""
        return day in _names(self.subdivision, _FRANCE, day.year)

    def name(self, day: date, language: str) -> str:
        """Return the holiday's name, in French if ``language`` is ``fr``, else in English; "" if it is none."""
        return _names(self.subdivision, _FRANCE if language == _FRANCE else "en_US", day.year).get(day, "")


def holidays_of(country: str, where: str = "") -> Holidays:
    """Return the public holidays of a place: a number such as ``57``, ``2A`` or ``971``, or its name.

    ``where`` may also be "" or ``fr``: those of all France. Capitals, accents, hyphens and apostrophes do not matter.
    Of Alsace and Moselle Good Friday is taken as a holiday, as it is in every commune with a Protestant church.

    Raises:
        ValueError: no such country or place; the message lists what there is.
    """
    if country.casefold() != _FRANCE:
        raise ValueError(f"no public holidays are known for the country {country!r}; there is only 'fr'")
    subdivision = _places().get(_plain(where or _FRANCE))
    if subdivision is None:
        own = ", ".join(f"{number} {name}" for number, (name, _) in _OWN_DAYS.items())
        raise ValueError(
            f"no public holidays are known for {where!r}; there are: 'fr' (those of all France), every département by "
            f"number ('01' to '95', '2A', '2B') or name, and with days of their own {own}"
        )
    return Holidays(subdivision)


def _plain(name: str) -> str:
    """Return a name in small letters without accents, its words parted by single blanks."""
    letters = "".join(part for part in unicodedata.normalize("NFKD", name) if not unicodedata.combining(part))
    return " ".join(re.findall(r"[a-z0-9]+", letters.casefold()))


@lru_cache(maxsize=1)
def _places() -> dict[str, str]:
    """Return the subdivision of every number and name, as ``_plain`` writes them."""
    places = dict(_OTHER_NAMES)
    for entry in _COMMON_DAYS.replace("\n", " ").split(","):
        number, _, name = entry.strip().partition(" ")
        places |= {number: "", name: ""}
    for number, (name, subdivision) in _OWN_DAYS.items():
        places |= {number: subdivision, name: subdivision}
    return {_plain(name): subdivision for name, subdivision in places.items()}


@lru_cache(maxsize=64)
def _names(subdivision: str, language: str, year: int) -> dict[date, str]:
    """Return a year's holidays. The library is loaded here: that takes 0.2 s, and most sites do without."""
    import holidays

    found = holidays.country_holidays("FR", subdiv=subdivision or None, years=year, language=language)
    return dict(found.items())
