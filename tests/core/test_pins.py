"""PINs are kept as scrypt hashes, and compared in a time that tells nothing."""

import base64
import hashlib
import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemon.agi.pins import LONGEST, SHORTEST, check_hash, hash_pin, is_pin, is_weak, verify_pin

PIN = "271828"
HASH = hash_pin(PIN)


def text_of(pin, n, r, p, salt=b"0123456789abcdef"):
    digest = hashlib.scrypt(pin.encode(), salt=salt, n=n, r=r, p=p, dklen=32)
    encoded = (base64.urlsafe_b64encode(part).decode() for part in (salt, digest))
    return "$".join(("scrypt", str(n), str(r), str(p), *encoded))


def test_the_right_pin_and_no_other():
    assert verify_pin(PIN, HASH)
    for wrong in ("271829", "27182", "2718281", "", "271828 ", "٢٧١٨٢٨"):
        assert not verify_pin(wrong, HASH)


def test_the_form_is_that_of_rfc_7914():
    assert verify_pin("4711", text_of("4711", 1 << 10, 8, 2))
    assert not verify_pin("4712", text_of("4711", 1 << 10, 8, 2))


def test_a_hash_holds_neither_the_pin_nor_the_hash_of_the_same_pin():
    assert HASH.startswith("scrypt$16384$8$1$")
    assert PIN not in HASH
    assert hash_pin(PIN) != HASH


def test_without_a_hash_no_pin_is_right_and_it_takes_as_long():
    def seconds(text):
        start = time.process_time()
        assert not verify_pin("000000", text)
        return time.process_time() - start

    known = min(seconds(HASH) for _ in range(3))
    unknown = min(seconds("") for _ in range(3))
    assert 0.5 < unknown / known < 2


@pytest.mark.parametrize("pin", ["", "123", "1" * (LONGEST + 1), "12a4", "١٢٣٤", "12 4"])
def test_what_is_no_pin_is_not_hashed(pin):
    assert not is_pin(pin)
    with pytest.raises(ValueError, match=f"{SHORTEST} to {LONGEST} digits"):
        hash_pin(pin)


@pytest.mark.parametrize("pin", ["0000", "1234", "56789", "9876", "7890", "3210"])
def test_weak(pin):
    assert is_weak(pin)


@pytest.mark.parametrize("pin", ["2580", "1235", "0001", "1357", PIN])
def test_not_weak(pin):
    assert not is_weak(pin)


@pytest.mark.parametrize(
    "text",
    [
        "2580",
        "scrypt$16384$8$1$c2FsdA==",
        HASH.replace("scrypt", "bcrypt"),
        HASH.replace("16384", "16383"),
        HASH.replace("$16384$", "$1073741824$"),
        HASH.replace("$8$1$", "$8$4096$"),
        HASH.replace("$8$1$", "$0$1$"),
        HASH.replace("16384", "-16384"),
        HASH.rpartition("$")[0] + "$",
        HASH + "$",
    ],
)
def test_what_is_no_hash_is_refused_and_never_computed(text):
    start = time.monotonic()
    for use in (check_hash, lambda text: verify_pin(PIN, text)):
        with pytest.raises(ValueError, match="telemon pin"):
            use(text)
    assert time.monotonic() - start < 1


@given(st.text(alphabet=string.digits + "$=scrypt", max_size=60))
def test_any_text_is_a_hash_or_refused(text):
    with pytest.raises(ValueError, match="telemon pin"):
        check_hash(text)
