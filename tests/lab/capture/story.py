"""What a story is: a function that plays on a stage, known by its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.lab.capture.stage import Stage


@dataclass(frozen=True)
class Story:
    name: str
    what: str
    play: Callable[[Stage], Awaitable[None]]


STORIES: list[Story] = []


def story(what: str) -> Callable[[Callable[[Stage], Awaitable[None]]], Callable[[Stage], Awaitable[None]]]:
    def keep(function: Callable[[Stage], Awaitable[None]]) -> Callable[[Stage], Awaitable[None]]:
        STORIES.append(Story(function.__name__, what, function))
        return function

    return keep
