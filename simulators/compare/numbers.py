"""Telephone numbers of a truth, and what a ledger shows instead of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from telemon.privacy import ANONYMOUS, pseudonym, without_numbers

if TYPE_CHECKING:
    from collections.abc import Collection

    from simulators.compare.row import LedgerRow
    from simulators.truth import CallTruth

_NO_KEY = b"no pseudonym of a ledger is made with this"
_PSEUDONYM = "[a-z2-7]{20}"  # telemon.privacy: 20 letters of base32
_NUMBER = re.compile(r"\+?[0-9]{6,}")  # of these, telemon.privacy replaces all but MAC addresses
_HIDDEN = "\N{HORIZONTAL ELLIPSIS}"


class Numbers:
    """Gives every caller and interface a form in which truth and ledger can be compared.

    That form is the pseudonym under the ledger's key, whether the ledger shows the number or the pseudonym. Where it
    shows pseudonyms and the key is not known (``blind``), callers cannot be compared. Where no key is known and no
    caller's number is recognised, all numbers inside interfaces count as one and the same.
    """

    def __init__(self, truths: Collection[CallTruth], rows: Collection[LedgerRow], key: bytes | None) -> None:
        self._key = _NO_KEY if key is None else key
        self.blind = key is None and any(map(re.compile(_PSEUDONYM).fullmatch, (row.caller for row in rows)))
        self._callers = {caller: pseudonym(caller, self._key) for caller in {truth.caller for truth in truths}}
        self._known_callers = frozenset(self._callers.values())
        self._hides = key is None and not any(self.knows(row) and row.caller != ANONYMOUS for row in rows)
        self._forms = {address: self._form(address) for truth in truths for address in _addresses(truth)}
        self._known = frozenset(self._forms.values())
        self._found: dict[str, str] = {}

    def caller(self, truth: CallTruth) -> str:
        """Return the comparable form of a truth's caller."""
        return self._callers[truth.caller]

    def caller_found(self, row: LedgerRow) -> str:
        """Return the comparable form of a row's caller."""
        return row.caller if row.caller in self._known_callers else pseudonym(row.caller, self._key)

    def knows(self, row: LedgerRow) -> bool:
        """Whether this row's caller is one of the truth's."""
        return self.caller_found(row) in self._known_callers

    def address(self, address: str) -> str:
        """Return the comparable form of a truth's interface."""
        return self._forms[address]

    def address_found(self, address: str) -> str:
        """Return the comparable form of a row's interface."""
        form = self._found.get(address)
        if form is None:
            form = self._found[address] = self._recognised(address)
        return form

    def _form(self, address: str) -> str:
        form = without_numbers(address, self._key)
        if self._hides:
            for number in _NUMBER.findall(address):
                form = form.replace(pseudonym(number, self._key), _HIDDEN)
        return form

    def _recognised(self, address: str) -> str:
        if address in self._known:
            return address
        return next((form for form in self._known if _hides(form, address)), self._form(address))


def _addresses(truth: CallTruth) -> tuple[str, ...]:
    answered_by = () if truth.answered_by is None else (truth.answered_by,)
    return (*answered_by, *truth.rung, *truth.transferred_to)


def _hides(form: str, address: str) -> bool:
    return _HIDDEN in form and re.fullmatch(re.escape(form).replace(_HIDDEN, _PSEUDONYM), address) is not None
