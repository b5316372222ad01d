"""Three wrong PINs lock, for a while; nothing grows without bound."""

from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from telemon.agi.lockout import Lockout
from telemon.agi.server import PinGuard
from telemon.instants import SECOND

LOCK = 900 * SECOND
T = 1_763_880_006 * SECOND


def wrong(lockout, key, *instants):
    return [lockout.begin(key, at) for at in instants]


def test_the_third_wrong_try_locks_for_the_whole_time():
    lockout = Lockout(3, LOCK)
    assert wrong(lockout, "4101", T, T + 1, T + 2, T + 3) == [True, True, True, False]
    assert lockout.locked_until("4101", T + 3) == T + 2 + LOCK
    assert lockout.locked_until("4101", T + 1 + LOCK) == T + 2 + LOCK
    assert lockout.locked_until("4101", T + 2 + LOCK) is None
    assert lockout.locked_until("4102", T + 3) is None


def test_after_the_lock_there_are_three_tries_again():
    lockout = Lockout(3, LOCK)
    wrong(lockout, "4101", T, T, T)
    later = T + LOCK
    assert wrong(lockout, "4101", later, later, later, later) == [True, True, True, False]


def test_tries_while_locked_do_not_prolong_the_lock():
    lockout = Lockout(3, LOCK)
    wrong(lockout, "4101", T, T, T)
    wrong(lockout, "4101", *range(T, T + LOCK, 60 * SECOND))
    assert lockout.locked_until("4101", T + LOCK) is None


def test_the_right_pin_forgets_the_wrong_ones():
    lockout = Lockout(3, LOCK)
    wrong(lockout, "4101", T, T)
    lockout.right("4101")
    assert wrong(lockout, "4101", T, T, T, T) == [True, True, True, False]


def test_wrong_tries_are_forgotten_after_a_while():
    lockout = Lockout(3, LOCK)
    wrong(lockout, "4101", T, T)
    assert wrong(lockout, "4101", T + LOCK, T + LOCK, T + LOCK) == [True, True, True]


def test_a_clock_set_back_does_not_unlock():
    lockout = Lockout(3, LOCK)
    wrong(lockout, "4101", T, T, T)
    assert lockout.locked_until("4101", T - 3600 * SECOND) is not None


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 100)), max_size=300))
def test_it_never_remembers_more_than_it_may_and_never_allows_a_fourth_try(tries):
    lockout = Lockout(3, LOCK, capacity=20)
    allowed: dict[int, list[int]] = {}
    at = T
    for key, seconds in tries:
        at += seconds * SECOND
        if lockout.begin(str(key), at):
            allowed.setdefault(key, []).append(at)
        assert len(lockout) <= 20
    if len(allowed) <= 20:
        for instants in allowed.values():
            assert all(later - first >= LOCK for first, later in zip(instants, instants[3:], strict=False))


def test_the_oldest_is_forgotten_first():
    lockout = Lockout(1, LOCK, capacity=2)
    assert wrong(lockout, "a", T) == wrong(lockout, "b", T + 1) == wrong(lockout, "c", T + 2) == [True]
    assert [lockout.locked_until(key, T + 3) is None for key in "abc"] == [True, False, False]


# -- the guard of the phone line: by number and by phone


def test_a_locked_phone_takes_no_number_and_a_locked_number_no_phone():
    guard = PinGuard(3, LOCK, lambda: T)
    assert [guard.begin("4101", f"PJSIP/{phone}") for phone in "abcd"] == [True, True, True, False]
    assert guard.is_locked("4101", "PJSIP/z")
    assert not guard.is_locked("4102", "PJSIP/a")
    assert [guard.begin(number, "PJSIP/e") for number in ("1", "2", "3", "4")] == [True, True, True, False]
    assert guard.is_locked("4102", "PJSIP/e")


def test_tries_at_the_same_time_do_not_slip_through():
    for _ in range(20):
        guard = PinGuard(3, LOCK, lambda: T)
        with ThreadPoolExecutor(16) as pool:
            phones = [f"PJSIP/{number}" for number in range(64)]
            assert sum(pool.map(guard.begin, ["4101"] * 64, phones)) == 3
