"""What systemd is told of the service.

Source: sd_notify(3) and sd_watchdog_enabled(3). The libraries that would do it either lack RELOADING and STOPPING
(sdnotify, of 2017; systemd-watchdog) or carry the whole of libsystemd (cysystemd).
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from typing import Final

log = logging.getLogger(__name__)
SEND_SECONDS: Final = 1.0  # how long a systemd that reads nothing may keep us


class Notifier:
    """Tell the service manager, if one has started us; each call sends at once, and fails quietly but for the log."""

    def __init__(self) -> None:
        """Read ``NOTIFY_SOCKET`` (an @ stands for the zero byte of an abstract socket) and ``WATCHDOG_…``."""
        named, limit = os.environ.get("NOTIFY_SOCKET", ""), os.environ.get("WATCHDOG_USEC", "")
        self._address = f"\0{named[1:]}" if named.startswith("@") else named
        ours = os.environ.get("WATCHDOG_PID") in {None, str(os.getpid())}
        self._status: str | None = None
        self.watchdog_seconds = int(limit) / 1e6 if self._address and ours and limit.isdigit() else None

    def ready(self, status: str) -> None:
        """Say that the start, or a reload, is done, and what ``systemctl status`` shows."""
        self._status = status
        self._send("READY=1", f"STATUS={status}")

    def say(self, status: str) -> None:
        """Say what ``systemctl status`` shows, where it changed since ``ready``."""
        if self._status not in {None, status}:
            self._status = status
            self._send(f"STATUS={status}")

    def reloading(self) -> None:
        """Say that a reload has begun; ``ready`` must follow."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._send("STOPPING=1")

    async def keep_watchdog(self) -> None:
        """Say twice per limit that the event loop goes round, until cancelled; return at once where nobody waits."""
        while self.watchdog_seconds is not None:
            self._send("WATCHDOG=1")
            await asyncio.sleep(self.watchdog_seconds / 2)

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(SEND_SECONDS)
                sender.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            log.warning("systemd cannot be told %s: %s", lines[0], error.strerror or error)
