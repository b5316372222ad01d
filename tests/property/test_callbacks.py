"""The list of lost callers does not depend on the order in which calls are told, how often, or to whom."""

from hypothesis import given
from hypothesis import strategies as st

from telemon.callbacks.lost import Loss, LostCallers
from telemon.callbacks.numbers import Plan, plan_of, same_number_key, spelling
from telemon.callbacks.sealing import Seal, Sealed
from telemon.instants import SECOND

KEEP = 100 * SECOND
NOW = 110 * SECOND
SEAL = Seal(b"x" * 32)
instants = st.integers(0, 11).map(lambda ten: 10 * ten * SECOND)
keys = st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["one", "two", "three"]))
services = st.sampled_from(["standard", "passeports"])


@st.composite
def losses(draw):
    at = draw(instants)
    return Loss(at, f"call{draw(st.integers(0, 1))}-{at}", at + KEEP, draw(services), "abandoned", "0612345678")


told = st.lists(st.tuples(keys, st.one_of(losses(), instants)), max_size=30)


def tell(callers, items):
    for key, what in items:
        if isinstance(what, Loss):
            callers.lose(key, what, NOW)
        else:
            callers.reach(key, what)
    return callers


def heard(items):
    return tell(LostCallers(KEEP), items)


def expected(items):
    """Say it plainly: what stands is what was lost later than the last contact, and is not too old."""
    stands: dict[tuple[str, str], dict[str, Loss]] = {}
    for key, what in items:
        contacts = [at for other, at in items if other == key and not isinstance(at, Loss)]
        if isinstance(what, Loss) and what.until > NOW and what.at > max(contacts, default=-1):
            known = stands.setdefault(key, {})
            known[what.ref] = min(what, known.get(what.ref, what))
    return {key: tuple(sorted(known.values())) for key, known in stands.items()}


@given(told, st.randoms())
def test_any_order_and_any_repetition_give_the_same_list(items, chance):
    shuffled = items + chance.sample(items, len(items) // 2)
    chance.shuffle(shuffled)
    assert dict(heard(shuffled).all()) == expected(items)


@given(told, st.lists(st.integers(0, 2), min_size=30, max_size=30), st.randoms())
def test_lists_that_heard_of_parts_become_one_however_often_they_tell_each_other(items, parts, chance):
    lists = [heard(item for item, part in zip(items, parts, strict=False) if part == number) for number in range(3)]
    pairs = [(one, other) for one in lists for other in lists if one is not other]
    for _ in range(2):  # what the first passes on to the second may have to come back
        chance.shuffle(pairs)
        for one, other in pairs:
            for key in {key for key, _ in items}:
                one.merge(key, other.losses(key), other.contact(key), NOW)
    for one in lists:
        assert dict(one.all()) == expected(items)


@given(told)
def test_a_list_closed_and_opened_again_is_the_same(items):
    before, after = heard(items), LostCallers(KEEP)
    for key in {key for key, _ in items}:
        sealed = Sealed(before.losses(key), before.contact(key))
        token = SEAL.close(sealed)
        opened = SEAL.open(token)
        assert opened == sealed
        after.merge(key, opened.losses, opened.contact, NOW)
    assert after.all() == before.all()


@given(told, instants)
def test_what_expires_is_gone_and_nothing_else(items, passed):
    callers = heard(items)
    before = callers.all()
    callers.expire(NOW + passed)
    left = {key: tuple(one for one in known if one.until > NOW + passed) for key, known in before.items()}
    assert dict(callers.all()) == {key: known for key, known in left.items() if known}


plans = st.sampled_from([plan_of(country) for country in ("fr", "de", "us", "it", "hu", "be", "uk")])


@given(plans, st.data())
def test_the_spellings_of_a_national_number_are_one(plan: Plan, data):
    length = data.draw(st.integers(max(plan.fewest, 7), plan.most))
    digits = data.draw(st.text("123456789", min_size=length, max_size=length).filter(lambda d: d[0] != "1"))
    spellings = [f"{plan.trunk}{digits}", f"+{plan.codes[0]}{digits}", f"{plan.abroad}{plan.codes[0]}{digits}"]
    keys = {same_number_key(one, plan) for one in spellings}
    assert keys == {f"+{plan.codes[0]}{digits}"}


@given(plans, st.text(max_size=20))
def test_any_text_is_a_number_or_none(plan, text):
    spelled = spelling(text, 4)
    if spelled is not None:
        assert same_number_key(spelled, plan)[0] in "+="
