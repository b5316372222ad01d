"""Telephone numbers in their many spellings, brought to one: ``0612345678``, ``+33 6 12 34 56 78``, ``00612345678``.

A trunk shows a caller's number as it likes, and an operator dials it as the PBX wants it, perhaps behind the digit that
gets an outside line. Two numbers are the same if their national significant numbers (ITU-T E.164) are. How numbers are
dialled in a country is ITU's "Dialling procedures" (Operational Bulletin 994 annex) as data: its code, its trunk and
international prefix, and how many digits a national significant number has.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

# Country: code, trunk prefix (- for none), international prefix, fewest and most digits.
_PLANS: Final = """
AT 43 0 00 4 13; AU 61 0 0011 9 9; BE 32 0 00 8 9; BG 359 0 00 7 9; BR 55 0 00 10 11; CA 1 1 011 10 10; CH 41 0 00 9 9;
CL 56 - 00 9 9; CN 86 0 00 9 11; CY 357 - 00 8 8; CZ 420 - 00 9 9; DE 49 0 00 5 13; DK 45 - 00 8 8; EE 372 - 00 7 8;
ES 34 - 00 9 9; FI 358 0 00 5 12; FR 33 0 00 9 9; GB 44 0 00 9 10; GR 30 - 00 10 10; HR 385 0 00 8 9; HU 36 06 00 8 9;
IE 353 0 00 7 9; IL 972 0 00 8 9; IN 91 0 00 10 10; IT 39 - 00 6 11; JP 81 0 010 9 10; LT 370 0 00 8 8;
LU 352 - 00 4 11; MQ 33 0 00 9 9; MT 356 - 00 8 8; MX 52 - 00 10 10; MY 60 0 00 8 10; NL 31 0 00 9 9; NO 47 - 00 8 8;
NZ 64 0 00 8 10; PF 689 - 00 8 8; PL 48 - 00 9 9; PM 33 0 00 9 9; PT 351 - 00 9 9; RE 33 0 00 9 9; RO 40 0 00 9 9;
SE 46 0 00 6 9; SG 65 - 000 8 8; SI 386 0 00 8 8; SK 421 0 00 9 9; TW 886 0 002 8 9; UK 44 0 00 9 10; US 1 1 011 10 10;
YT 33 0 00 9 9; ZA 27 0 00 9 9
"""
# Codes of their own, but one numbering plan with France: 0262 12 34 56 there is +262 262 12 34 56 (Arcep's plan).
_FRENCH: Final = ("33", "262", "590", "594", "596")
_SAINT_PIERRE: Final = "508"  # six digits behind the code, and 0508 before them at home
_OUTSIDE_LINE: Final = ("0", "9")
_WITHHOLDING: Final = ("3651", "03651", "93651")  # dialled in France before a number, not to show one's own
_SERVICE_CODE: Final = re.compile(r"[*#][0-9]{2,3}[*#]")  # *31# and #31# do the same in most other networks
_SCHEME: Final = re.compile(r"(sips?|tel):")
_SEPARATORS: Final = str.maketrans("", "", " -.()/\N{NO-BREAK SPACE}")  # RFC 3966 section 5.1.1
_LONGEST: Final = 15  # E.164 section 6.2.1
_SURELY_ABROAD: Final = 11  # digits with country code; fewer may as well be an outside line and a national number
_SHORTEST_ABROAD: Final = 7
_BARE_ABROAD: Final = 10
_EXACT: Final = "="  # begins the key of a number that is only itself


@dataclass(frozen=True, slots=True)
class Plan:
    """How numbers are dialled in one country."""

    codes: tuple[str, ...]
    trunk: str
    abroad: str
    fewest: int
    most: int
    before: tuple[str, ...]  # what may stand before a number and is no part of it

    def national(self, digits: str) -> str | None:
        """Return the national significant number in these digits, if they are one of this country's."""
        home = digits.removeprefix(self.trunk) if self.trunk and digits.startswith(self.trunk) else None
        if home is not None and self._fits(home):
            return home
        for code in self.codes:
            for start in (self.abroad + code, code):
                if digits.startswith(start) and (found := self._behind(code, digits[len(start) :])) is not None:
                    return found
        return digits if self._fits(digits) else None

    def behind_code(self, digits: str) -> str | None:
        """Return the national significant number of an international one, if it is one of this country's."""
        for code in self.codes:
            if digits.startswith(code) and (found := self._behind(code, digits[len(code) :])) is not None:
                return found
        return None

    def _behind(self, code: str, rest: str) -> str | None:
        if code == _SAINT_PIERRE and len(rest) == self.most - len(code):
            return code + rest
        rest = rest if self._fits(rest) else rest.removeprefix(self.trunk)  # +33 (0)6 is wrong, and common
        return rest if self._fits(rest) else None

    def _fits(self, digits: str) -> bool:
        starts = bool(self.trunk) and digits.startswith(self.trunk)
        return self.fewest <= len(digits) <= self.most and not starts


@lru_cache(8)
def plan_of(country: str) -> Plan:
    """Return the plan of a country of ``telemon.cadences``, by its code in either case."""
    plans = {name: rest for name, *rest in (line.split() for line in _PLANS.split(";"))}
    code, trunk, abroad, fewest, most = plans[country.upper()]
    is_french = code in _FRENCH
    return Plan(
        codes=(*_FRENCH, _SAINT_PIERRE) if is_french else (code,),
        trunk=trunk.replace("-", ""),
        abroad=abroad,
        fewest=int(fewest),
        most=int(most),
        before=(*_OUTSIDE_LINE, *(_WITHHOLDING if is_french else ())),
    )


def spelling(number: str, minimum_digits: int) -> str | None:
    """Return digits, with their plus if any, of what can be called; None of a name, or of fewer digits."""
    plain = number.translate(_SEPARATORS)
    digits = plain.removeprefix("+")
    usable = digits.isascii() and digits.isdecimal() and minimum_digits <= len(digits) <= 2 * _LONGEST
    return plain if usable else None


def same_number_key(number: str, plan: Plan) -> str:
    """Return a key that is equal for two spellings of one number; ``number`` as ``spelling`` gives it.

    ``+`` and country code for a number that can be called from anywhere. Anything else (short codes, extensions) is
    only itself. ``00`` and nine digits may be a number abroad or, behind a 0 for an outside line, one of this country:
    it is taken for the latter.
    """
    if number.startswith("+"):
        return _from_abroad(number[1:], plan)
    national, abroad = plan.national(number), number.removeprefix(plan.abroad) if number.startswith(plan.abroad) else ""
    if national is None and not _is_abroad(abroad, _SURELY_ABROAD):
        for before in plan.before:
            if number.startswith(before) and (key := _key_behind(number.removeprefix(before), plan)) is not None:
                return key
    if national is not None:
        return _key_of(national, plan)
    if _is_abroad(abroad, _SHORTEST_ABROAD):
        return _from_abroad(abroad, plan)
    return f"+{number}" if _is_abroad(number, _BARE_ABROAD) else _EXACT + number


def _key_behind(digits: str, plan: Plan) -> str | None:
    """Return the key of what stands behind the digits for an outside line, if it is a number that needs one."""
    national, abroad = plan.national(digits), digits.removeprefix(plan.abroad)
    if national is not None:
        return _key_of(national, plan)
    is_abroad = abroad != digits and _is_abroad(abroad, _SHORTEST_ABROAD)
    return _from_abroad(abroad, plan) if is_abroad else None


def number_in(dial_string: str) -> str:
    """Return the digits that a dial's string sends to a trunk, with their plus if any; empty where there are none.

    The string is what stands behind the technology in ``Dial()`` (apps/app_dial.c), by channel driver:
    ``number@trunk``, ``trunk/number``, ``trunk/sip:number@host``, ``g1/wwnumber``, ``user:secret@host/number@context``.
    """
    target = dial_string.rpartition("/")[2].partition("@")[0].partition(";")[0]
    target = _SCHEME.sub("", target, count=1).translate(_SEPARATORS)
    target = _SERVICE_CODE.sub("", target.lstrip("wW"), count=1)  # w waits half a second (chan_dahdi.c)
    digits = target.removeprefix("+")
    return target if digits.isascii() and digits.isdecimal() and len(digits) <= 2 * _LONGEST else ""


def _is_abroad(digits: str, fewest: int) -> bool:
    return fewest <= len(digits) <= _LONGEST and not digits.startswith("0")


def _from_abroad(digits: str, plan: Plan) -> str:
    national = plan.behind_code(digits)
    return f"+{digits}" if national is None else _key_of(national, plan)


def _key_of(national: str, plan: Plan) -> str:
    return f"+{plan.codes[0]}{national}"
