"""An Asterisk whose one queue takes a load; telemon's login is that of every lab."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simulators.lab.asterisk import Asterisk
from simulators.lab.ports import free_port
from simulators.sip.load.planning import DDI, SERVICE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulators.site import Site

_ADDRESSES: Final = 2  # SIPp is one thread: two take the phones' side
_EXTENSIONS: Final = f"""\
[from-trunk]
exten => {DDI},1,Queue({SERVICE},r,,,60)
 same => n,Hangup()
"""
_QUEUE: Final = f"""\
[general]
persistentmembers = no
autofill = yes

[{SERVICE}]
strategy = rrmemory
timeout = 15
retry = 1
ringinuse = no
joinempty = yes
leavewhenempty = no
"""
_LOGGER: Final = "[logfiles]\nfull => warning,error\n"  # a line for each step of each call would be part of the load


@contextmanager
def load_switchboard(site: Site) -> Iterator[Asterisk]:
    """Run it as long as the block lasts; its phones share two addresses.

    Raises:
        TelemonError: Asterisk does not boot.
    """
    members = "".join(f"member => PJSIP/{phone},0,{phone},PJSIP/{phone}\n" for phone in site.operators)
    with tempfile.TemporaryDirectory(prefix="telemon-load-") as folder:
        overlay = Path(folder)
        for name, text in (("extensions", _EXTENSIONS), ("queues", _QUEUE + members), ("logger", _LOGGER)):
            (overlay / f"{name}.conf").write_text(text, "utf-8")
        asterisk = Asterisk(overlay=overlay, phones=())
        ports = [free_port() for _ in range(_ADDRESSES)]
        asterisk.phone_ports = {phone: ports[place % _ADDRESSES] for place, phone in enumerate(site.operators)}
        with asterisk:
            yield asterisk
