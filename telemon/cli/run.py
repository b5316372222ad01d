"""``telemon run``."""

from __future__ import annotations

import asyncio

from telemon.cli.common import ConfigOption, settle
from telemon.latency import prefer_the_reader
from telemon.logs import set_up


def command(config: ConfigOption = None) -> None:
    """Measure until told to stop."""
    from telemon.daemon import Daemon  # the pages' server takes long to load, and no other command needs it

    settings = settle(config)
    set_up(settings.log)

    async def live() -> None:
        daemon = Daemon(settings, reread=lambda: settle(config))
        prefer_the_reader()
        await daemon.run()

    asyncio.run(live())
