"""``telemon run``."""

from __future__ import annotations

import asyncio

from telemon.cli.common import ConfigOption, settle
from telemon.logs import set_up


def command(config: ConfigOption = None) -> None:
    """Measure until told to stop."""
    from telemon.daemon import Daemon  # the pages' server takes long to load, and no other command needs it

    settings = settle(config)
    set_up(settings.log)

    async def live() -> None:
        await Daemon(settings, reread=lambda: settle(config)).run()

    asyncio.run(live())
