"""Public holidays of each place of France, as its laws have them."""

from datetime import date, timedelta

import pytest

from telemon.public_holidays import holidays_of

# Code du travail, article L3133-1; Easter 2026 is on 5 April.
ALL_FRANCE = {
    date(2026, 1, 1), date(2026, 4, 6), date(2026, 5, 1), date(2026, 5, 8), date(2026, 5, 14), date(2026, 5, 25),
    date(2026, 7, 14), date(2026, 8, 15), date(2026, 11, 1), date(2026, 11, 11), date(2026, 12, 25),
}  # fmt: skip
GOOD_FRIDAY, SAINT_STEPHEN = date(2026, 4, 3), date(2026, 12, 26)


def of_2026(where):
    found = holidays_of("fr", where)
    days = (date(2026, 1, 1) + timedelta(days=number) for number in range(365))
    return {day for day in days if found.is_holiday(day)}


@pytest.mark.parametrize("where", ["", "fr", "75", "01", "2A", "2b", "Corse-du-Sud", "Gironde", "69", "975"])
def test_most_places_have_those_of_all_france(where):
    assert of_2026(where) == ALL_FRANCE


@pytest.mark.parametrize("where", ["57", "67", "68", "Moselle", "BAS RHIN", "haut-rhin", "Alsace", "Alsace-Moselle"])
def test_alsace_and_moselle_have_two_more(where):
    assert of_2026(where) - ALL_FRANCE == {GOOD_FRIDAY, SAINT_STEPHEN}


@pytest.mark.parametrize("where", ["54", "88", "90", "Meurthe-et-Moselle"])
def test_their_neighbours_have_not(where):
    assert not of_2026(where) & {GOOD_FRIDAY, SAINT_STEPHEN}


# The abolition of slavery: code du travail, article L3422-2, and décret 83-1003.
@pytest.mark.parametrize(
    ("where", "day"),
    [
        ("971", date(2026, 5, 27)),
        ("Guadeloupe", date(2026, 5, 27)),
        ("972", date(2026, 5, 22)),
        ("973", date(2026, 6, 10)),
        ("974", date(2026, 12, 20)),
        ("La Réunion", date(2026, 12, 20)),
        ("reunion", date(2026, 12, 20)),
        ("976", date(2026, 4, 27)),
        ("977", date(2026, 10, 9)),
        ("978", date(2026, 5, 28)),
        ("988", date(2026, 9, 24)),
        ("986", date(2026, 7, 29)),
        ("Polynésie française", date(2026, 3, 5)),
    ],
)
def test_each_overseas_place_has_its_own(where, day):
    days = of_2026(where)
    assert day in days
    assert day not in ALL_FRANCE
    assert days >= ALL_FRANCE


@pytest.mark.parametrize("where", ["Côte-d'Or", "côte d’or", "COTE D OR", "21", " 21 "])  # noqa: RUF001 - as people type
def test_accents_capitals_and_apostrophes_do_not_matter(where):
    assert holidays_of("fr", where) == holidays_of("FR", "")


def test_a_holiday_has_a_name_in_both_languages():
    there = holidays_of("fr", "57")
    assert there.name(date(2026, 5, 1), "fr") == "Fête du Travail"
    assert there.name(date(2026, 5, 1), "en") == "Labor Day"
    assert there.name(SAINT_STEPHEN, "fr") == "Saint-Étienne"
    assert there.name(date(2026, 5, 2), "fr") == ""


def test_two_on_one_day_are_both_named():
    assert holidays_of("fr").name(date(2008, 5, 1), "fr") == "Ascension; Fête du Travail"


@pytest.mark.parametrize("where", ["96", "20", "00", "570", "Zone A", "Bavière", "?", "5 7", "fr-57"])
def test_an_unknown_place_is_told_what_there_is(where):
    with pytest.raises(ValueError, match="no public holidays are known for") as caught:
        holidays_of("fr", where)
    message = str(caught.value)
    assert repr(where) in message
    for known in ("'fr'", "'2A'", "57 Moselle", "68 Haut-Rhin", "971 Guadeloupe", "974 La Réunion"):
        assert known in message


def test_another_country_is_refused():
    with pytest.raises(ValueError, match="country 'de'"):
        holidays_of("de", "57")


def test_every_departement_is_known_once():
    numbers = [f"{number:02}" for number in range(1, 96) if number != 20] + ["2A", "2B"]
    overseas = ["971", "972", "973", "974", "976"]
    assert len(numbers + overseas) == 101
    for number in numbers + overseas:
        assert of_2026(number) >= ALL_FRANCE
