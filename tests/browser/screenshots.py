"""Make the pictures in docs/images: ``python -m tests.browser.screenshots FOLDER`` (see scripts/screenshots)."""

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.browser import wallboard_kit
from tests.browser.grafana_kit import Shown, dashboards, served
from tests.browser.proof_kit import stand

WANTED = {"fr": tuple(dashboards("fr")), "en": ("live", "promises")}


async def take(folder):
    with tempfile.TemporaryDirectory(prefix="telemon-screenshots-") as work, served() as address:
        async with stand(Path(work)) as here, wallboard_kit.chromium() as browser:
            for language, slugs in WANTED.items():
                for slug in slugs:
                    shown = await Shown.open(browser, address, dashboards(language)[slug], here)
                    await shown.full()
                    await shown.shoot(folder / f"{slug}-{language}.png")
                    await shown.page.close()
    await wallboard_kit.screenshots(folder)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    asyncio.run(take(target))
