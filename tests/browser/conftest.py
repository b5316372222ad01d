"""What the browser tests share: one Chromium a test, and telemon in it."""

import pytest

from tests.browser.wallboard_kit import chromium


@pytest.fixture
async def browser():
    """Debian's Chromium; a test that uses it is marked ``real("chromium")``."""
    async with chromium() as running:
        yield running
