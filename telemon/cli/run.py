"""``telemon run``."""

from __future__ import annotations

import asyncio

from telemon.cli.common import ConfigOption, log_to_stderr, settle
from telemon.daemon import Daemon


def command(config: ConfigOption = None) -> None:
    """Measure until told to stop."""
    settings = settle(config)
    log_to_stderr()

    async def live() -> None:
        await Daemon(settings).run()

    asyncio.run(live())
