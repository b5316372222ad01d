"""``telemon check``."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from telemon.ami import events as ami
from telemon.ami.link import Link, wall_clock
from telemon.cadences import ring_cycle
from telemon.cli.common import ConfigOption, settle
from telemon.duty.parts import duty_watch
from telemon.errors import AmiError, ConfigError
from telemon.instants import to_seconds
from telemon.night_switch import Accord, days_off_commands
from telemon.parts import observer_of, peer_of
from telemon.rulesets import load_rulesets, ruleset_at
from telemon.texts import text

if TYPE_CHECKING:
    from telemon.config import Config
    from telemon.config_pbx import PbxConfig
    from telemon.duty.watch import DutyWatch
    from telemon.observer import Observer

_SWITCH = {None: "switch.unknown", True: "switch.open", False: "switch.closed"}
# Per read class an event that every call brings.
_SIGNS = {"call": ami.NewChannel, "dialplan": ami.NewExten, "agent": ami.QueueJoin}


def command(
    config: ConfigOption = None,
    listen: Annotated[float, typer.Option("--listen", "-l", min=0, help=text()("cli.check_listen"))] = 0,
    days_off: Annotated[
        str | None, typer.Option("--days-off", metavar="SERVICE", help=text()("cli.check_days_off"))
    ] = None,
) -> None:
    """Try everything once and say what is missing; status 1 if telemon could not measure."""
    settings = settle(config)
    if days_off is not None:
        _print_days_off(settings, days_off)
        return
    logging.basicConfig(level=logging.CRITICAL)  # what the link would log is printed as a problem
    console = Console(highlight=False)
    _describe(console, settings)
    problems = [problem for pbx in settings.pbx for problem in asyncio.run(_try(console, settings, pbx, listen))]
    for problem in problems:
        console.print(f"✗ {problem}", style="dark_orange", markup=False, soft_wrap=True)
    console.print(text()("check.bad" if problems else "check.good"), markup=False, soft_wrap=True)
    if problems:
        raise typer.Exit(1)


def _print_days_off(settings: Config, name: str) -> None:
    """Print what tells the dialplan on which days of the next year a service is closed.

    Raises:
        ConfigError: there is no such service, or it never closes.
    """
    hours = next((one.opening_hours(settings.zone) for one in settings.service if one.name == name), None)
    if hours is None:
        raise ConfigError(text()("check.no_hours", service=name))
    today = datetime.now(settings.zone).date()
    for command in days_off_commands(hours, today, today + timedelta(days=365)):
        typer.echo(f"asterisk -rx '{command}'")


def _describe(console: Console, settings: Config) -> None:
    say = text()
    rules = ruleset_at(load_rulesets(settings.rule_sets), settings.rule_set, datetime.now(settings.zone).date())
    cycle = say.number(to_seconds(rules.cycle(ring_cycle(settings.country))), 1)
    console.print(
        say("check.rules", rules=rules.label, rings=rules.max_rings, cycle=cycle), markup=False, soft_wrap=True
    )
    for service in settings.service:
        console.print(
            say(
                "check.service",
                name=service.name,
                kind=say(f"kind.{service.kind.value}"),
                ddis=", ".join(service.ddis) or "–",  # noqa: RUF001
                queues=", ".join(service.queues) or "–",  # noqa: RUF001
            ),
            markup=False,
            soft_wrap=True,
        )
    if not settings.service:
        console.print(say("check.every_ddi"), markup=False, soft_wrap=True)


async def _try(console: Console, settings: Config, pbx: PbxConfig, listen: float) -> list[str]:
    say = text()
    console.print(
        say("check.trying", pbx=pbx.name, host=pbx.host, port=pbx.port, user=pbx.username), markup=False, soft_wrap=True
    )
    observer = observer_of(settings, pbx)
    watch = duty_watch(settings, pbx, observer.board)
    observer.attend(watch, wall_clock())
    try:
        link = Link(peer_of(pbx), observer, lambda _: None)
        await link.check(listen)
    except (AmiError, ConfigError) as error:
        return [str(error)]
    console.print(
        say(
            "check.connected",
            version=link.version,
            queues=len(observer.board.queues),
            members=len({member.interface for member in observer.board.members()}),
        ),
        markup=False,
        soft_wrap=True,
    )
    problems = _queue_problems(settings, pbx, observer.board.queues, {m.queue for m in observer.board.members()})
    problems += _duty_problems(console, settings, pbx, observer, watch)
    if listen:
        seen = {name for name, sign in _SIGNS.items() if observer.seen[sign]}
        console.print(
            say("check.seen", classes=", ".join(sorted(seen)) or say("check.nothing")), markup=False, soft_wrap=True
        )
        missing = sorted(_expected(settings) - seen) if seen else []
        if missing:
            problems.append(say("check.class_missing", pbx=pbx.name, user=pbx.username, classes=",".join(missing)))
    if not observer.decoder.stamped:
        problems.append(say("ami.no_timestamps", pbx=pbx.name))
    return problems


def _duty_problems(
    console: Console, settings: Config, pbx: PbxConfig, observer: Observer, watch: DutyWatch
) -> list[str]:
    """Show what night switches and permanences look like now; return which trunks cannot tell anything."""
    say, now = text(), observer.reached or wall_clock()
    for name, switch in watch.switches.items():
        agreement = switch.judge(now)
        expected, told = (say(_SWITCH[state]) for state in (agreement.expected_open, agreement.told_open))
        said = say("check.switch", service=name, expected=expected, told=told)
        console.print(
            said, style="dark_orange" if agreement.state is Accord.DISAGREES else "", markup=False, soft_wrap=True
        )
    for name, permanence in watch.permanences.items():
        current = permanence.current
        if current is not None and current.cause is not None:
            cause = say(f"uncovered.{current.cause.value}")
            console.print(
                say("conditions.uncovered", service=name, cause=cause),
                style="dark_orange",
                markup=False,
                soft_wrap=True,
            )
        elif current is not None:
            console.print(say("check.covered", service=name), markup=False, soft_wrap=True)
    trunks = {trunk for service in settings.service for trunk in service.trunks} | {settings.permanence.mobile_trunk}
    return [say("check.trunk", pbx=pbx.name, trunk=trunk) for trunk in sorted(filter(observer.board.is_gone, trunks))]


def _expected(settings: Config) -> set[str]:
    """Return the classes that any call must bring; one to a service without a queue brings none of the queue's."""
    through_queues = bool(settings.service) and all(service.queues for service in settings.service)
    return _SIGNS.keys() - (set() if through_queues else {"agent"})


def _queue_problems(settings: Config, pbx: PbxConfig, queues: set[str], staffed: set[str]) -> list[str]:
    """Name each queue of a service that Asterisk does not know, or that nobody is a member of."""
    problems = []
    for service in settings.service:
        for queue in service.queues:
            if "*" in queue:
                continue
            if queue not in queues:
                known = ", ".join(sorted(queues)) or "–"  # noqa: RUF001
                problems.append(text()("check.no_queue", pbx=pbx.name, service=service.name, queue=queue, known=known))
            elif queue not in staffed:
                problems.append(text()("check.no_members", pbx=pbx.name, service=service.name, queue=queue))
    return problems
