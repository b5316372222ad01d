"""Where SIP goes to: addresses, and whose they are."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass

from telemon.errors import TelemonError
from telemon.texts import text

SIP_PORT = 5060  # RFC 3261, 19.1.2
_URI = re.compile(r"(?:sip:)?(?:[^@]*@)?(?P<host>\[[0-9A-Fa-f:]+\]|[^:;?@\[\]\s]+)(?::(?P<port>\d{1,5}))?")
_HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Address:
    """An IPv4 address and a UDP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def sip_address(uri: str, *, own_pbx: bool = False) -> Address:
    """Return where a URI such as ``sip:127.0.0.1:5060`` leads.

    Without ``own_pbx`` every address that its name has must be a loopback one: calls ring real phones, and cost money.

    Raises:
        TelemonError: it is no SIP URI, its host is unknown, or the address is not this machine's loopback.
    """
    found = _URI.fullmatch(uri.strip())
    port = int(found["port"] or SIP_PORT) if found else 0
    if found is None or not 0 < port <= _HIGHEST_PORT:
        raise TelemonError(text()("sim_sip.bad_address", uri=uri))
    hosts = _resolve(found["host"])
    strangers = [host for host in hosts if not ipaddress.ip_address(host).is_loopback]
    if strangers and not own_pbx:
        raise TelemonError(text()("sim_sip.elsewhere", uri=uri, host=strangers[0]))
    ipv4 = [host for host in hosts if ":" not in host]
    if not ipv4:
        raise TelemonError(text()("sim_sip.no_ipv4", uri=uri))
    return Address(ipv4[0], port)


def local_host(towards: Address) -> str:
    """Return the address of this machine from which packets to another leave.

    Raises:
        TelemonError: there is no way there.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((towards.host, towards.port))  # sends nothing
        except OSError as error:
            raise TelemonError(text()("sim_sip.no_way", address=towards, reason=error.strerror)) from error
        host: str = probe.getsockname()[0]
        return host


def _resolve(host: str) -> list[str]:
    try:
        entries = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_DGRAM)
    except OSError as error:
        raise TelemonError(text()("sim_sip.unknown_host", host=host, reason=error.strerror)) from error
    return [str(entry[4][0]) for entry in entries]
