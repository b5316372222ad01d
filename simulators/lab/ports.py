"""Ports for servers that a test starts on the loopback."""

from __future__ import annotations

import random
import socket
from collections import deque
from pathlib import Path

# Below Linux's ephemeral range, so that no outgoing connection takes a port between its choice and its use;
# and below 32768, beyond which SIPp mistakes media ports. SIPp takes the media port and the second after it too.
_RANGE = range(20_010, 32_000, 10)
# A long run needs more ports than there are: those given out longest ago may come again.
_given: deque[int] = deque(maxlen=len(_RANGE) // 2)


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def free_port() -> int:
    """Return a port that nothing on 127.0.0.1 uses, TCP or UDP, and that was not given out lately."""
    while True:
        port = random.choice(_RANGE)
        if port not in _given and _is_free(port):
            _given.append(port)
            return port


def udp_port_is_bound(port: int) -> bool:
    """Whether some process listens on this UDP port of 127.0.0.1 (proc(5): /proc/net/udp, local_address in hex)."""
    return f" 0100007F:{port:04X} " in Path("/proc/net/udp").read_text("ascii")
