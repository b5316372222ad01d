"""Every story; importing the modules registers them."""

from tests.lab.capture.stories import afterwards, dials, gaps, machines, mixtures, queues, races, situations, transfers
from tests.lab.capture.story import STORIES, Story

__all__ = [
    "STORIES",
    "Story",
    "afterwards",
    "dials",
    "gaps",
    "machines",
    "mixtures",
    "queues",
    "races",
    "situations",
    "transfers",
]
