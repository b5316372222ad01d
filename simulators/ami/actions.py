"""What each manager action does and answers, in the words of Asterisk 22.10.1's main/manager.c."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from simulators.ami import listing
from simulators.ami.access import parse_classes
from simulators.ami.event import Headers, render
from simulators.ami.originating import originate

if TYPE_CHECKING:
    from simulators.ami.session import Session
    from simulators.ami.switchboard import Switchboard

Listing = Callable[["Switchboard", float, Headers], list[Headers]]
_BEFORE_LOGIN = ("login", "logoff", "challenge")


@dataclass(frozen=True, slots=True)
class Request:
    """One action as the client sent it; names are matched without regard to case, as Asterisk does."""

    headers: dict[str, str]

    @classmethod
    def parse(cls, message: bytes) -> Request:
        """Read the lines of one message; of repeated headers the first counts, and a line without colon is void."""
        headers: dict[str, str] = {}
        for line in message.decode(errors="replace").splitlines():
            name, colon, value = line.partition(":")
            if colon:
                headers.setdefault(name.strip().lower(), value.strip())
        return cls(headers)

    def get(self, name: str) -> str:
        """Return a header's value, or an empty string."""
        return self.headers.get(name.lower(), "")

    @property
    def action_id(self) -> Headers:
        """The header to echo, if the client sent one."""
        return (("ActionID", self.get("ActionID")),) if self.get("ActionID") else ()


@dataclass(frozen=True, slots=True)
class _Action:
    name: str
    synopsis: str
    run: Callable[[Session, Request], None]
    needs: frozenset[str] = frozenset()

    @property
    def help_line(self) -> tuple[str, str]:
        """The line of ``ListCommands``."""
        classes = [name for name in ("system", "call", "command", "reporting", "originate") if name in self.needs]
        return self.name, f"{self.synopsis}  (Priv: {','.join([*classes, 'all']) if classes else '<none>'})"


def perform(session: Session, request: Request) -> None:
    """Do one action, or say why not."""
    name = request.get("Action")
    action = _ACTIONS.get(name.lower())
    if not name:
        _error(session, request, "Missing action in request")
    elif session.user is None and name.lower() not in _BEFORE_LOGIN:
        _error(session, request, "Permission denied")
    elif action is None:
        hint = "Use Action: ListCommands to show available commands."
        _error(session, request, f"Invalid/unknown command: {name}. {hint}")
    elif session.user is not None and not session.user.may_run(action.needs):
        _error(session, request, "Permission denied")
    else:
        action.run(session, request)


def _error(session: Session, request: Request, message: str) -> None:
    session.respond("Error", request.action_id, ("Message", message))


def _login(session: Session, request: Request) -> None:
    if session.user is not None:
        session.respond("Success", request.action_id, ("Message", "Already authenticated"))
        return
    user = session.server.users.get(request.get("Username"))
    if user is None or not _secret_fits(session, request, user.secret):
        _error(session, request, "Authentication failed")
        session.close()
        return
    session.enter(user)
    if request.get("Events"):
        session.set_mask(parse_classes(request.get("Events")))
    session.respond("Success", request.action_id, ("Message", "Authentication accepted"))
    if user.may_read("system") and "system" in session.mask:
        uptime = str(int(session.server.now() - session.server.switchboard.booted_at))
        session.send(
            render(
                (
                    ("Event", "FullyBooted"),
                    ("Privilege", "system,all"),
                    ("Uptime", uptime),
                    ("LastReload", uptime),
                    ("Status", "Fully Booted"),
                ),
            ),
        )


def _secret_fits(session: Session, request: Request, secret: str) -> bool:
    if request.get("AuthType").lower() != "md5":
        return hmac.compare_digest(request.get("Secret").encode(), secret.encode())
    # MD5 is what the protocol has; Asterisk offers no other.
    key = hashlib.md5((session.challenge + secret).encode(), usedforsecurity=False).hexdigest()
    return bool(session.challenge) and hmac.compare_digest(request.get("Key").lower().encode(), key.encode())


def _challenge(session: Session, request: Request) -> None:
    if request.get("AuthType").lower() != "md5":
        _error(session, request, "Must specify AuthType")
        return
    session.respond("Success", request.action_id, ("Challenge", session.new_challenge()))


def _logoff(session: Session, request: Request) -> None:
    session.respond("Goodbye", request.action_id, ("Message", "Thanks for all the fish."))
    session.close()


def _ping(session: Session, request: Request) -> None:
    stamp = f"{session.server.now():.6f}"
    session.respond("Success", request.action_id, ("Ping", "Pong"), ("Timestamp", stamp))


def _core_status(session: Session, request: Request) -> None:
    board = session.server.switchboard
    booted = datetime.fromtimestamp(board.booted_at, UTC)
    date, time = booted.strftime("%Y-%m-%d"), booted.strftime("%H:%M:%S")
    session.respond(
        "Success",
        request.action_id,
        ("CoreStartupDate", date),
        ("CoreStartupTime", time),
        ("CoreReloadDate", date),
        ("CoreReloadTime", time),
        ("CoreCurrentCalls", str(board.current_calls)),
        ("CoreProcessedCalls", str(board.processed_calls)),
    )


def _core_settings(session: Session, request: Request) -> None:
    session.respond(
        "Success",
        request.action_id,
        ("AMIversion", session.server.ami_version),
        ("AsteriskVersion", session.server.asterisk_version),
        ("SystemName", ""),
        ("CoreMaxCalls", "0"),
        ("CoreMaxLoadAvg", "0.000000"),
        ("CoreRunUser", ""),
        ("CoreRunGroup", ""),
        ("CoreMaxFilehandles", "0"),
        ("CoreRealTimeEnabled", "No"),
        ("CoreCDRenabled", "Yes"),
        ("CoreHTTPenabled", "No"),
        ("SoundsSearchCustomDir", "No"),
    )


def _command(session: Session, request: Request) -> None:
    command = request.get("Command")
    if not command:
        _error(session, request, "No command provided")
        return
    output = f"No such command '{command}' (type 'core show help {command}' for other possible commands)"
    headers = (("Message", "Command output follows"), ("Output", output))
    session.respond("Error", request.action_id, *headers)


def _events(session: Session, request: Request) -> None:
    mask = request.get("EventMask")
    if not mask:
        _error(session, request, "Invalid event mask")
        return
    session.set_mask(parse_classes(mask))
    session.respond("Success", request.action_id, ("Events", "On" if session.mask else "Off"))


def _filter(session: Session, request: Request) -> None:
    check = "Check the syntax of the filter given."
    if request.get("Operation").lower() != "add":
        _error(session, request, "Unknown operation")
    elif not request.get("Filter"):
        _error(session, request, f"Filter was formatted incorrectly.  {check}")
    else:
        try:
            session.add_filter(request.get("Filter"))
        except re.error:
            _error(session, request, f"Filter did not compile.  {check}")
            return
        session.respond("Success", request.action_id, ("Message", "Success"))


def _queue_status(session: Session, request: Request) -> None:
    items = partial(listing.queue_status, only=request.get("Queue"), member=request.get("Member"))
    _list("Queue status", "QueueStatusComplete", items)(session, request)


def _parked_calls(session: Session, request: Request) -> None:
    if request.get("ParkingLot") not in ("", "default"):
        _error(session, request, "Requested parking lot could not be found.")
        return
    _list("Parked calls", "ParkedCallsComplete", listing.parked_calls, "Total")(session, request)


def _list_commands(session: Session, request: Request) -> None:
    user = session.user
    allowed = [action for action in _ACTIONS.values() if user is not None and user.may_run(action.needs)]
    lines = [action.help_line for action in sorted(allowed, key=lambda action: action.name.lower())]
    session.respond("Success", request.action_id, *lines)


def _list(follows: str, complete: str, items: Listing, total: str = "") -> Callable[[Session, Request], None]:
    """Make the handler of an action that answers with an event list; ``total`` is a second counter some have."""

    def run(session: Session, request: Request) -> None:
        follow = (("EventList", "start"), ("Message", f"{follows} will follow"))
        session.respond("Success", request.action_id, *follow)
        listed = items(session.server.switchboard, session.server.now(), request.action_id)
        for item in listed:
            session.send(render(item))
        count = str(len(listed))
        end: Headers = (("EventList", "Complete"), ("ListItems", count))
        more: Headers = ((total, count),) if total else ()
        session.send(render((("Event", complete), *request.action_id, *end, *more)))

    return run


_REPORTING = frozenset({"system", "reporting"})
_STATUS = frozenset({"system", "call", "reporting"})
_ACTIONS = {
    action.name.lower(): action
    for action in (
        _Action("Login", "Login Manager.", _login),
        _Action("Challenge", "Generate Challenge for MD5 Auth.", _challenge),
        _Action("Logoff", "Logoff Manager.", _logoff),
        _Action("Ping", "Keepalive command.", _ping),
        _Action("CoreStatus", "Show PBX core status variables.", _core_status, _REPORTING),
        _Action("CoreSettings", "Show PBX core settings (version etc).", _core_settings, _REPORTING),
        _Action("Command", "Execute Asterisk CLI Command.", _command, frozenset({"command"})),
        _Action("Events", "Control Event Flow.", _events),
        _Action("Filter", "Dynamically add filters for the current manager session.", _filter, frozenset({"system"})),
        _Action("ListCommands", "List available manager commands.", _list_commands),
        _Action(
            "CoreShowChannels",
            "List currently active channels.",
            _list("Channels", "CoreShowChannelsComplete", listing.core_show_channels),
            _REPORTING,
        ),
        _Action(
            "Status",
            "List channel status.",
            _list("Channel status", "StatusComplete", listing.status, "Items"),
            _STATUS,
        ),
        _Action(
            "BridgeList",
            "Get a list of bridges in the system.",
            _list("Bridge listing", "BridgeListComplete", listing.bridges),
        ),
        _Action("QueueStatus", "Show queue status.", _queue_status),
        _Action(
            "DeviceStateList",
            "List the current known device states.",
            _list("Device State Changes", "DeviceStateListComplete", listing.device_states),
            frozenset({"call", "reporting"}),
        ),
        _Action("ParkedCalls", "List parked calls.", _parked_calls, frozenset({"call"})),
        _Action("Originate", "Originate a call.", originate, frozenset({"originate"})),
    )
}
