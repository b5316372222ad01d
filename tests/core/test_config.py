"""The configuration: what is wrong is named with its line, and the environment wins."""

import re
import tomllib
from datetime import datetime
from importlib.resources import files
from typing import Any

import pytest

from telemon.agi.pins import hash_pin
from telemon.config import CallbacksConfig, Config, FiguresConfig, load
from telemon.config_duty import DUTY_TABLES, OfficerConfig, ShiftConfig
from telemon.config_pbx import PbxConfig
from telemon.config_service import ServiceConfig
from telemon.config_web import UserConfig, WebConfig
from telemon.errors import ConfigError
from telemon.instants import from_datetime
from telemon.records import ServiceKind
from telemon.texts import LANGUAGES, use

GOOD = """\
site = "prefecture"
probe_callers = ["0199000099"]

[[pbx]]
secret = "s3cret"

[[service]]
name = "standard"
ddis = ["0102030405"]

[[service]]
name = "nuit"
kind = "permanence"
queues = ["permanence"]
hours = ["mon-fri 18:00-24:00", "sat-sun 00:00-24:00"]

[web]
port = 9999
"""


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    """Neither a configuration nor an environment from outside."""
    monkeypatch.chdir(tmp_path)
    use("en")


@pytest.fixture
def write(tmp_path):
    def writing(source):
        path = tmp_path / "site.toml"
        path.write_text(source, encoding="utf-8")
        return path

    return writing


def refusal(path):
    with pytest.raises(ConfigError) as refused:
        load(path)
    return str(refused.value)


def test_a_good_file(write):
    config = load(write(GOOD))
    assert (config.site, config.web.port, config.web.host) == ("prefecture", 9999, "127.0.0.1")
    assert config.pbx[0].resolve_secret() == "s3cret"
    numbering = config.numbering(config.pbx[0])
    assert [service.kind for service in numbering.services] == [ServiceKind.SWITCHBOARD, ServiceKind.PERMANENCE]
    assert numbering.probe_callers == {"0199000099"}
    assert config.call_site(config.pbx[0]) == "prefecture"


def test_without_any_file_there_are_defaults():
    assert load(None) == Config()


def test_a_pbx_of_several_is_part_of_the_call_id(write):
    config = load(write('[[pbx]]\nname = "north"\n[[pbx]]\nname = "south"\n'))
    assert [config.call_site(pbx) for pbx in config.pbx] == ["site/north", "site/south"]


@pytest.mark.parametrize(
    ("line", "mistaken", "said"),
    [
        (1, "sit = 1", "sit is not known. Did you mean site?"),
        (5, 'secrt = "x"', "pbx[1].secrt is not known. Did you mean secret?"),
        (9, 'ddi = ["1"]', "service[1].ddi is not known. Did you mean ddis?"),
        (12, 'nmae = "x"\nname = "nuit"', "service[2].nmae is not known. Did you mean name?"),
        (14, 'queus = ["permanence"]', "service[2].queus is not known. Did you mean queues?"),
        (18, "prot = 1", "web.prot is not known. Did you mean port?"),
        (18, "zzzzzzzz = 1", "web.zzzzzzzz is not known."),
    ],
)
def test_an_unknown_key_is_named_with_its_line(write, line, mistaken, said):
    lines = GOOD.splitlines()
    lines[line - 1] = mistaken
    path = write("\n".join(lines))
    assert f"{path}:{line}: {said}" in refusal(path).splitlines()


@pytest.mark.parametrize(
    ("line", "mistaken", "said"),
    [
        (1, 'site = "Préfecture de Paris"', "site = 'Préfecture de Paris' cannot be"),
        (2, "probe_callers = 5", "probe_callers = 5 cannot be"),
        (2, 'country = "zz"', "country = 'zz' cannot be: no ring cadence is known"),
        (2, 'timezone = "Europe/Pari"', "timezone = 'Europe/Pari' cannot be"),
        (2, 'language = "de"', "language = 'de' cannot be"),
        (2, 'rule_set = "qualiref"', "rule_set = 'qualiref' cannot be: use one of marianne, qualipref"),
        (2, "short_abandon_seconds = -1", "short_abandon_seconds = -1 cannot be"),
        (5, "port = 70000", "pbx[1].port = 70000 cannot be"),
        (5, 'tls = "maybe"', "pbx[1].tls = 'maybe' cannot be"),
        (5, "ping_seconds = 0", "pbx[1].ping_seconds = 0 cannot be"),
        (13, 'kind = "permanance"', "service[2].kind = 'permanance' cannot be"),
        (15, 'hours = ["mon-fri 8:00-12:00"]', "service[2].hours cannot be so: opening hours 'mon-fri 8:00-12:00'"),
        (15, 'hours = ["mon 12:00-08:00"]', "service[2].hours cannot be so: opening hours 'mon 12:00-08:00'"),
        (18, 'port = "x"', "web.port = 'x' cannot be"),
        (18, "port = -1", "web.port = -1 cannot be"),
    ],
)
def test_a_bad_value_is_named_with_its_line(write, line, mistaken, said):
    lines = GOOD.splitlines()
    lines[line - 1] = mistaken
    path = write("\n".join(lines))
    message = refusal(path)
    assert message.startswith(f"{path}:{line}: {said}")
    assert "\n" not in message
    assert "Value error" not in message


def test_everything_wrong_is_told_at_once(write):
    path = write("sit = 1\n[web]\nport = 'x'\nhots = 1\n")
    assert sorted(int(line) for line in re.findall(r"\.toml:(\d+):", refusal(path))) == [1, 3, 4]


def test_a_dotted_key_and_an_inline_table_have_their_line_too(write):
    path = write("site = 'a'\nweb.port = 'x'\n")
    assert f"{path}:2: web.port = 'x'" in refusal(path)
    path = write("site = 'a'\nweb = { port = 'x' }\n")
    assert f"{path}:2: web.port = 'x'" in refusal(path)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('[[pbx]]\n[[pbx]]\nname = "pbx"\n', "pbx cannot be so: each [[pbx]] needs a name of its own"),
        ('[[service]]\nname = "a"\n[[service]]\nname = "a"\n', "service cannot be so: each [[service]] needs a name"),
        ("pbx = []\n", "pbx cannot be so: each [[pbx]] needs a name"),
        ("[[service]]\nkind = 'crisis'\n", "service[1].name is missing"),
        ('[rule_sets.ours]\nversion = "1"\n', 'rule_sets cannot be so: rule set "ours": valid_from is missing'),
    ],
)
def test_what_contradicts_itself(write, source, said):
    assert said in refusal(write(source))


def test_a_rule_set_of_the_sites_own(write):
    source = '[rule_sets.ours]\nversion = "1"\nvalid_from = 2026-01-01\ntitle_fr = "N"\ntitle_en = "O"\nmax_rings = 4\n'
    assert load(write(f'rule_set = "ours"\n{source}')).rule_set == "ours"


def test_a_wrong_secret_type_is_not_shown(write):
    message = refusal(write("[[pbx]]\nsecret = 48151623\n"))
    assert ":2: pbx[1].secret cannot be so" in message
    assert "48151623" not in message


def test_what_is_no_toml(write):
    assert re.search(r"is no TOML \(.*line 2", refusal(write("site = 'a'\nweb port\n")))
    path = write("")
    path.write_bytes(b"site = '\xe9'\n")
    assert "is no TOML" in refusal(path)


def test_a_missing_file_says_how_to_make_one(tmp_path):
    assert "telemon init" in refusal(tmp_path / "none.toml")
    assert "cannot be read" in refusal(tmp_path)


def test_a_file_that_the_environment_names_must_exist(monkeypatch, tmp_path, write):
    monkeypatch.setenv("TELEMON_CONFIG", str(tmp_path / "none.toml"))
    assert "none.toml: cannot be read" in refusal(None)
    monkeypatch.setenv("TELEMON_CONFIG", str(write(GOOD)))
    assert load(None).site == "prefecture"


def test_the_environment_wins_over_the_file(monkeypatch, write):
    monkeypatch.setenv("TELEMON_SITE", "mairie")
    monkeypatch.setenv("TELEMON_WEB__PORT", "1234")
    monkeypatch.setenv("TELEMON_LEDGER__URL", "sqlite:///elsewhere.db")
    monkeypatch.setenv("TELEMON_PROBE_CALLERS", '["0199000001"]')
    config = load(write(GOOD))
    assert (config.site, config.web.port, config.ledger.url) == ("mairie", 1234, "sqlite:///elsewhere.db")
    assert config.probe_callers == {"0199000001"}
    assert config.web.host == "127.0.0.1"


def test_an_empty_variable_changes_nothing(monkeypatch, write):
    monkeypatch.setenv("TELEMON_SITE", "")
    assert load(write(GOOD)).site == "prefecture"


def test_a_bad_variable_is_named_instead_of_a_line(monkeypatch, write):
    monkeypatch.setenv("TELEMON_WEB__PORT", "x")
    assert refusal(write(GOOD)).startswith("TELEMON_WEB__PORT: web.port = 'x' cannot be")
    monkeypatch.delenv("TELEMON_WEB__PORT")
    monkeypatch.setenv("TELEMON_PBX", "nonsense")
    assert re.search(r'environment: .*"pbx".*JSON', refusal(write(GOOD)))


def test_the_secret_comes_from_its_file_then_the_environment_then_the_configuration(monkeypatch, tmp_path):
    path = tmp_path / "ami.secret"
    path.write_text("from-file\n")
    everywhere = PbxConfig.model_validate({"name": "north-1.a", "secret": "inline", "secret_file": path})
    inline = PbxConfig.model_validate({"name": "north-1.a", "secret": "inline"})
    assert inline.resolve_secret() == "inline"
    monkeypatch.setenv("TELEMON_SECRET_NORTH_1_A", "from-environment")
    assert inline.resolve_secret() == "from-environment"
    assert everywhere.resolve_secret() == "from-file"


def test_a_missing_secret_says_where_it_may_be(tmp_path):
    with pytest.raises(ConfigError, match="TELEMON_SECRET_PBX"):
        PbxConfig().resolve_secret()
    with pytest.raises(ConfigError, match="none cannot be read"):
        PbxConfig(secret_file=tmp_path / "none").resolve_secret()


def test_opening_hours_know_holidays_and_days_of_their_own(write):
    source = """
[[service]]
name = "standard"
hours = ["mon-fri 08:00-18:00"]
holidays = "57"
closed_on = [2026-05-15]
opened_on = { 2026-12-26 = "09:00-12:00" }
outside_hours = "permanence"
trunks = ["PJSIP/trunk"]
[[service]]
name = "permanence"
kind = "permanence"
"""
    config = load(write(source))
    standard, permanence = config.numbering(config.pbx[0]).services
    noon = {
        day: from_datetime(datetime(2026, *day, 11, tzinfo=config.zone))
        for day in [(4, 3), (5, 15), (12, 26), (12, 28)]
    }
    assert [standard.is_open(at) for at in noon.values()] == [False, False, True, True]
    assert (standard.outside_hours, standard.trunks, permanence.hours) == ("permanence", ("PJSIP/trunk",), None)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('holidays = "Atlantis"', "Atlantis"),
        ('opened_on = { 2026-12-26 = "9-12" }', "9-12"),
        ('outside_hours = "nuit"', 'names no [[service]] of kind "permanence"'),
    ],
)
def test_wrong_hours_are_named_with_their_line(write, line, said):
    message = refusal(write(f'site = "a"\n\n[[service]]\nname = "standard"\n{line}\n'))
    assert said in message
    assert re.search(r"site\.toml:[35]:", message), message


def test_pins_may_stand_in_a_file_of_their_own(write, tmp_path):
    hashed = hash_pin("271828")
    officers = '[[officer]]\nid = "cdurand"\nname = "Camille Durand"\n[[officer]]\nid = "x"\nname = "X"\n'
    path = tmp_path / "pins.toml"
    config = load(write(f'{officers}[agi]\npins_file = "{path}"\n'))
    path.write_text(f'cdurand = "{hashed}"\n')
    assert [officer.pin for officer in config.officers()] == [hashed, ""]
    for wrong in ('cdurand = "271828"', "no toml", None):
        path.unlink() if wrong is None else path.write_text(wrong)
        with pytest.raises(ConfigError, match=r"pins_file .*pins\.toml cannot be used"):
            config.officers()


def test_the_api_s_token_comes_from_its_file_or_systemd(write, tmp_path, monkeypatch):
    path = tmp_path / "token"
    config = load(write(f'[web]\ntoken_file = "{path}"\n'))
    path.write_text("sesame\n")
    assert (config.web.resolve_token(), Config().web.resolve_token()) == ("sesame", None)
    path.write_text(" \n")
    with pytest.raises(ConfigError, match="is empty"):
        config.web.resolve_token()
    (tmp_path / "api.token").write_text("credential")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert config.web.resolve_token() == "credential"


def test_no_representation_shows_the_secret(write):
    config = load(write(GOOD))
    assert "s3cret" not in f"{config!r} {config} {config.pbx[0]!r} {config.model_dump()}"


# The templates that ``telemon init`` writes


def template(language):
    return files("telemon").joinpath(f"templates/telemon.{language}.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_template_loads(write, language):
    config = load(write(template(language)))
    assert config.language == language
    assert [service.name for service in config.service] == ["standard"]


def test_both_templates_say_the_same():
    both = [tomllib.loads(template(language)) for language in LANGUAGES]
    for one in both:
        del one["language"]
    assert both[0] == both[1]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_template_shows_every_key_and_its_default(write, language):
    config, default = load(write(template(language))), Config()
    chosen = {"site", "language", "rule_sets", "service", "pbx"}  # a site's own; ``rule_sets`` is commented out
    for key in Config.model_fields.keys() - chosen:
        assert getattr(config, key) == getattr(default, key), key
    without_secret = config.pbx[0].model_copy(update={"secret_file": None})
    assert without_secret == default.pbx[0]
    tables: tuple[Any, ...] = (
        Config,
        PbxConfig,
        ServiceConfig,
        CallbacksConfig,
        FiguresConfig,
        WebConfig,
        UserConfig,
        *DUTY_TABLES.values(),
    )
    for key in {key for table in tables for key in table.model_fields}:
        assert re.search(rf"\b{key}\b", template(language)), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_template_comments_out_is_right_as_well(write, language):
    source = template(language)
    keys = "|".join(("hours", r"\[rule_sets", "version", "valid_from", "title_", "max_rings",
                     r"\[\[shift", r"\[\[officer", r"\[\[user", "role", "session_key_file", "secure_cookie", "key_file",
                     *OfficerConfig.model_fields.keys() - {"pin"}, *ShiftConfig.model_fields, "closed_on", "opened_on",
                     "holidays", "trunks", "night_switch", "token_file"))  # fmt: skip
    source = re.sub(rf"^# ({keys})", r"\1", source, flags=re.MULTILINE)
    config = load(write(source))
    assert config.service[0].hours
    assert config.web.secure_cookie
    assert config.rule_sets["ours"]["max_rings"] == 4
    assert config.shift[0].officer == config.officer[0].id == "cdurand"
