"""Pseudonyms: what the ledger holds instead of a telephone number.

A pseudonym is a keyed hash. The same number gives the same pseudonym for as long as the key is kept, so that repeated
callers can be counted; without the key it cannot be tried out against the few hundred million numbers there are.
"""

from __future__ import annotations

import hmac
import re
from base64 import b32encode
from functools import lru_cache

ANONYMOUS = "anonymous"

# What stands in AMI's CallerIDNum when no number was given: main/manager.c writes ``<unknown>``, RFC 3323 and RFC 3325
# have ``anonymous`` and ``restricted``, main/callerid.c names the presentations, trunks add the rest.
_WITHHELD = frozenset(
    {"", "anonymous", "<unknown>", "unknown", "unavailable", "private", "restricted", "withheld", "blocked"}
)
_SEPARATORS = str.maketrans("", "", " -.()")  # RFC 3966 section 5.1.1: they carry no meaning

# 20 letters of base32 are 100 bits: among a thousand million callers, two share a pseudonym with a probability of
# 4e-13, and it still fits a table column. Base32 because it is safe in an URL, survives a change of case and never
# begins with a sign that a spreadsheet takes for a formula.
_LENGTH = 20

# Five digits are the longest usual extension, and too few for a subscriber's number.
_NUMBER = re.compile(r"\+?[0-9]{6,}")
_MAC_ADDRESS = re.compile(r"(?<![0-9A-Za-z])(?=[0-9]*[A-Fa-f])[0-9A-Fa-f]{12}(?![0-9A-Za-z])")


def pseudonym(number: str, key: bytes) -> str:
    """Return the pseudonym of a caller's number: 20 lower-case letters and digits of HMAC-SHA256.

    A withheld or missing number gives ``anonymous``. Visual separators do not count (``01 23`` is ``0123``).
    """
    plain = number.translate(_SEPARATORS)
    if plain.lower() in _WITHHELD:
        return ANONYMOUS
    keyed = _keyed(key).copy()
    keyed.update(plain.encode("utf-8", "surrogatepass"))
    return b32encode(keyed.digest())[:_LENGTH].decode("ascii").lower()


def without_numbers(address: str, key: bytes) -> str:
    """Return an interface or extension with every number of six digits or more in it replaced by its pseudonym.

    ``PJSIP/op1`` and ``201`` stay as they are; of ``Local/0612345678@mobiles`` only the number changes. A phone named
    after its MAC address (``PJSIP/805ec0123456``) is no number.
    """
    if _NUMBER.search(address) is None:
        return address
    kept = 0
    parts: list[str] = []
    for mac in _MAC_ADDRESS.finditer(address):
        parts += [_replace_numbers(address[kept : mac.start()], key), mac.group()]
        kept = mac.end()
    return "".join([*parts, _replace_numbers(address[kept:], key)])


@lru_cache(4)
def _keyed(key: bytes) -> hmac.HMAC:
    """Return the hash with its key only, to be copied: unlike ``hmac.digest``, that never drops Python's global lock.

    Beside a busy reader, each drop may cost the thread that writes the ledger 5 ms.
    """
    return hmac.new(key, digestmod="sha256")


def _replace_numbers(text: str, key: bytes) -> str:
    return _NUMBER.sub(lambda number: pseudonym(number.group(), key), text)
