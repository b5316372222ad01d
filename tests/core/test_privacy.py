import hashlib
import hmac
from base64 import b32encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemon.privacy import ANONYMOUS, pseudonym, without_numbers

KEY = bytes(range(32))
CANARY = "+33612345678"


def test_is_the_keyed_hash_of_the_standard_library():
    whole = hmac.new(KEY, b"+33612345678", hashlib.sha256).digest()
    assert pseudonym(CANARY, KEY) == b32encode(whole).decode().lower()[:20]


def test_depends_on_number_and_key_only():
    assert pseudonym(CANARY, KEY) == pseudonym(CANARY, bytes(KEY))
    assert pseudonym(CANARY, KEY) != pseudonym(CANARY, bytes(32))
    assert pseudonym(CANARY, KEY) != pseudonym("+33612345679", KEY)


def test_visual_separators_do_not_count():
    assert pseudonym("01.23-45 (67)", KEY) == pseudonym("01234567", KEY)


@pytest.mark.parametrize("withheld", ["", " ", "anonymous", "Anonymous", "<unknown>", "Unavailable", "restricted"])
def test_a_withheld_number_stays_recognisable(withheld):
    assert pseudonym(withheld, KEY) == ANONYMOUS


@given(st.text())
def test_is_total_and_safe_everywhere(number):
    result = pseudonym(number, KEY)
    assert result == ANONYMOUS or (len(result) == 20 and result.isascii() and result.isalnum() and result.islower())


def test_bytes_that_were_no_utf8_still_have_a_pseudonym():
    assert len(pseudonym("06\udce912", KEY)) == 20


@pytest.mark.parametrize(
    "address", ["PJSIP/op1", "201", "20123", "SIP/201-phone", "Local/201@internal/n", "PJSIP/805ec0123456", "*8201"]
)
def test_interfaces_and_extensions_stay(address):
    assert without_numbers(address, KEY) == address


@pytest.mark.parametrize(
    ("address", "number"),
    [
        ("201234", "201234"),
        ("0612345678", "0612345678"),
        ("Local/0612345678@mobiles/n", "0612345678"),
        ("PJSIP/trunk/sip:+33612345678@host", "+33612345678"),
        ("PJSIP/mobile_0612345678", "0612345678"),
        ("*21*0612345678#", "0612345678"),
        ("PJSIP/805ec0123456/0612345678", "0612345678"),
    ],
)
def test_numbers_go_and_the_rest_stays(address, number):
    assert without_numbers(address, KEY) == address.replace(number, pseudonym(number, KEY))


def test_a_number_has_one_pseudonym_as_caller_and_as_destination():
    assert without_numbers("0612345678", KEY) == pseudonym("0612345678", KEY)
