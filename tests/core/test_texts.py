"""The two catalogues say the same things, and the code asks for nothing that they do not have."""

import ast
import re
import string
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import typer

import simulators
import simulators.cli
import telemon
from simulators.ami.faults import parse_fault
from simulators.traffic import load_scenario
from telemon.crisis.stages import Limit, Stage
from telemon.duty_records import UncoveredCause
from telemon.errors import TelemonError
from telemon.observation import GapCause
from telemon.rates import Verdict
from telemon.records import Flag, Outcome, ServiceKind, TransferKind
from telemon.rulesets import GoalKind
from telemon.texts import LANGUAGES, Texts, catalogue, language_of, text, use

SOURCES = [path for package in (telemon, simulators) for path in sorted(Path(package.__path__[0]).rglob("*.py"))]
PAGES = [
    path
    for path in sorted(Path(telemon.__path__[0], "wallboard").rglob("*"))
    if path.suffix in {".html", ".js"} and "vendor" not in path.parts
]
PARIS = ZoneInfo("Europe/Paris")


def fields(template):
    return sorted((name, conversion or "") for _, name, _, conversion in string.Formatter().parse(template) if name)


def test_both_languages_have_the_same_texts():
    assert catalogue("en").keys() == catalogue("fr").keys()


@pytest.mark.parametrize("key", sorted(catalogue("en")))
def test_both_languages_have_the_same_placeholders(key):
    assert fields(catalogue("en")[key]) == fields(catalogue("fr")[key])


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty_and_none_spans_lines(language):
    multiline = {key for key, value in catalogue(language).items() if "\n" in value}
    assert all(catalogue(language).values())
    assert multiline == {"cli.help", "compare.help", "sim_ami.help", "sim_sip.help", "sim_lab.up"}


def test_french_puts_a_space_before_double_signs():
    """Not after a digit or in an address, but wherever a word or a placeholder ends a clause."""
    wrong = {key for key, value in catalogue("fr").items() if re.search(r"[\wéèê}»]:\s|[\wéèê}»][;?!](\s|$)", value)}
    assert wrong == set()


def calls_of_texts():
    """Yield each ``text()("key", …)`` and ``say("key", …)`` of the source: place, key as written, names of values."""
    for path in SOURCES:
        source = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)) if "telemon.texts" in source else ():
            if not isinstance(node, ast.Call) or not node.args:
                continue
            if ast.unparse(node.func) in {"say", "text()"}:
                key = node.args[0]
                given = {keyword.arg for keyword in node.keywords}
                for one in (key.body, key.orelse) if isinstance(key, ast.IfExp) else (key,):
                    yield f"{path}:{node.lineno}", ast.unparse(one), given


def test_every_key_in_the_code_exists_with_its_values():
    literal = [(place, ast.literal_eval(key), given) for place, key, given in calls_of_texts() if key[0] in "'\""]
    for place, key, given in literal:
        assert key in catalogue("en"), f"{place}: {key}"
        missing = {name for name, _ in fields(catalogue("en")[key])} - given
        assert None in given or not missing, f"{place}: {key} needs {missing}"
    assert len(literal) > 40


COMMANDS = {path.stem.rstrip("_") for path in SOURCES if path.parent.name == "cli"}  # asked for as f"cli.{command}"
COMPOSED = {
    "outcome": Outcome,
    "flag": Flag,
    "transfer": TransferKind,
    "kind": ServiceKind,
    "gap": GapCause,
    "goal": GoalKind,
    "verdict": Verdict,
    "stage": Stage,
    "excess": Limit,
    "cover_cause": UncoveredCause,
    "uncovered": UncoveredCause,
}


@pytest.mark.parametrize("table", sorted(COMPOSED))
def test_every_value_that_a_table_shows_has_a_text(table):
    assert {f"{table}.{value.value}" for value in COMPOSED[table]} <= catalogue("en").keys()


def test_every_composed_key_is_of_a_table_known_here():
    literals = {"calls", "compare", "coverage", "crisis", "demo", "stats", "cli", "check", "ami"}
    heads = {re.split(r"[.{]", key[2:])[0] for _, key, _ in calls_of_texts() if key.startswith("f")}
    assert heads
    assert heads <= COMPOSED.keys() | literals


def words_of_pages():
    """Return patterns of the keys that templates and scripts ask for: whole, counted, or with an ending put to them."""
    source = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)
    asked = set(re.findall(r"""["'`]([a-z_]+\.[a-z_]+(?:\$\{[^}`]*\}\w*)?)["'`]""", source))
    endings = {key: r"\w+" if key.endswith("_") else "(_one|_other)?" for key in asked}
    return [re.compile(re.sub(r"\$\{[^}]*\}", r"\\w+", key).replace(".", r"\.") + endings[key]) for key in asked]


def test_no_text_is_left_over():
    source = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    shown = words_of_pages()
    tables = {f"{table}.{value.value}" for table, values in COMPOSED.items() for value in values} | {"gap.unknown"}
    prefixed = {"cli", "calls", "compare", "coverage", "crisis", "stats"}  # asked for as f"cli.{command}" and the like
    unused = {
        key
        for key in catalogue("en").keys() - tables
        if f'"{key}"' not in source
        and not any(pattern.fullmatch(key) for pattern in shown)
        and not (key.partition(".")[0] in prefixed and f'"{key.partition(".")[2]}"' in source)
        and key.partition(".")[2] not in COMMANDS
    }
    assert unused == set()


# telemon-sim


def helps(command, path="telemon-sim"):
    """Yield each help text of a command and of those below it, with its place."""
    yield path, command.help
    for option in command.params:
        if option.name != "help":
            yield f"{path} {option.name}", option.help
    for name, below in getattr(command, "commands", {}).items():
        yield from helps(below, f"{path} {name}")


def test_every_help_of_the_simulator_is_in_a_catalogue():
    said = dict(helps(typer.main.get_command(simulators.cli.app)))
    known = {template.replace("{fastest}", "max") for name in LANGUAGES for template in catalogue(name).values()}
    assert {path for path, help_text in said.items() if help_text not in known} == set()
    assert len(said) > 40


def words_of(node):
    """Return what is spelt out in an argument: a literal, or the literal parts of an f-string."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return "".join(str(part.value) for part in parts if isinstance(part, ast.Constant))


def test_the_simulator_prints_and_raises_no_words_of_its_own():
    spelt = []
    for path in sorted(Path(simulators.cli.__path__[0]).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and re.search(r"(echo|print|Error)$", ast.unparse(node.func)):
                spelt += [f"{path}:{node.lineno}" for argument in node.args if re.search(r"\w", words_of(argument))]
    assert spelt == []


@pytest.fixture
def french():
    before = text().language
    use("fr")
    yield
    use(before)


@pytest.mark.usefixtures("french")
def test_what_is_wrong_with_an_argument_is_said_in_french_too():
    with pytest.raises(TelemonError, match=r"^panne 'cut@5=1' : cut n'a pas de valeur$"):
        parse_fault("cut@5=1")
    with pytest.raises(TelemonError, match=r"^pas de scénario 'dimanche' ; prenez l'un de crisis, "):
        load_scenario("dimanche")


# Formats


@pytest.mark.parametrize(
    ("value", "decimals", "french", "english"),
    [
        (1234.56, 1, "1\u202f234,6", "1,234.6"),
        (0, 0, "0", "0"),
        (1234567, 0, "1\u202f234\u202f567", "1,234,567"),
        (None, 1, "–", "–"),  # noqa: RUF001
        (-0.5, 2, "-0,50", "-0.50"),
    ],
)
def test_numbers(value, decimals, french, english):
    assert (Texts("fr").number(value, decimals), Texts("en").number(value, decimals)) == (french, english)


@pytest.mark.parametrize(
    ("share", "french", "english"),
    [(0.1, "10,0\u202f%", "10.0%"), (1.0, "100,0\u202f%", "100.0%"), (None, "–", "–")],  # noqa: RUF001
)
def test_percentages(share, french, english):
    assert (Texts("fr").percent(share), Texts("en").percent(share)) == (french, english)


def test_dates_are_those_of_the_site():
    winter = datetime(2026, 11, 23, 7, 0, 6, tzinfo=UTC)
    summer = datetime(2026, 7, 14, 7, 0, 6, tzinfo=UTC)
    assert Texts("fr").moment(winter, PARIS) == "23/11/2026 08:00"
    assert Texts("fr").moment(summer, PARIS) == "14/07/2026 09:00"
    assert Texts("fr").clock(winter, PARIS) == "08:00:06"
    assert Texts("en").moment(winter, PARIS) == "23/11/2026, 08:00"
    assert Texts("fr").moment(None, PARIS) == "–"  # noqa: RUF001


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "fr_FR.UTF-8"}, "fr"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "fr_FR.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "fr_FR.UTF-8", "LC_ALL": ""}, "fr"),
        ({"LANG": "en_GB", "TELEMON_LOCALE": "fr"}, "fr"),
        ({"LC_MESSAGES": "fr_BE"}, "fr"),
        ({"LANG": "de_DE"}, "en"),
    ],
)
def test_the_environment_names_the_language(environment, language):
    assert language_of(environment) == language


def test_an_unknown_key_is_a_mistake_of_ours():
    with pytest.raises(KeyError):
        Texts("fr")("no.such.key")
