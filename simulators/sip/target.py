"""The switchboard to which calls are placed, and where its phones are expected."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from simulators.sip.address import Address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulators.site import Site

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """A manager login that may pause queue members (``write = agent``)."""

    host: str
    port: int
    user: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where callers dial, and which address plays which phone.

    Phones that share an address must be called by their own name (``sip:op1@…``); without ``phones`` the operators are
    real, and nothing is known of their side.
    """

    address: Address
    site: Site
    phones: Mapping[str, Address]
    console: Console | None = None

    def parties(self) -> dict[Address, list[str]]:
        """Return the phones behind each address."""
        parties: dict[Address, list[str]] = {}
        for phone, address in self.phones.items():
            parties.setdefault(address, []).append(phone)
        return parties


class Lab(Protocol):
    """An Asterisk of the lab, whoever started it."""

    @property
    def sip_port(self) -> int:
        """Where it takes calls."""

    @property
    def ami_port(self) -> int:
        """Where its manager listens."""

    @property
    def ami_secret(self) -> str:
        """The secret of its manager's logins."""

    @property
    def phone_ports(self) -> Mapping[str, int]:
        """Where it calls each phone."""


def lab_target(lab: Lab, site: Site, *, console: str = "") -> Target:
    """Return an Asterisk of the lab as a target; ``console`` is its login that may pause members, if it has one."""
    return Target(
        address=Address(LOOPBACK, lab.sip_port),
        site=site,
        phones={phone: Address(LOOPBACK, port) for phone, port in lab.phone_ports.items()},
        console=Console(host=LOOPBACK, port=lab.ami_port, user=console, secret=lab.ami_secret) if console else None,
    )
