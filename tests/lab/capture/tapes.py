"""Record the tapes of the AMI simulator from a real Asterisk: ``python -m tests.lab.capture.tapes --out FOLDER``.

Each recording is one call to one line of the site PREFECTURE; its name says what happens, part by part, as
``simulators.ami.library`` reads it: ``standard.no_answer.answered`` rings out once and is then answered.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gzip
import sys
import traceback
from pathlib import Path

from simulators.lab import asterisk as lab
from simulators.site import MOBILE, PREFECTURE, Line, Pattern
from tests.lab.capture.moves import blind
from tests.lab.capture.softphone import Leg, Over
from tests.lab.capture.stage import Stage, answers, gives_up, refuses, rings_on

OVERLAY = Path(lab.__file__).parent / "prefecture"
LONGEST_SECONDS = 200
TALK = 1.5
CLOSED_DDI = "0102030499"

TRANSFERS = {
    "transferred": answers(TALK),
    "transferred_ended_by_service": answers(TALK, talk=TALK),
    "transfer_unanswered": rings_on(),
    "transfer_left": rings_on(),
    "transfer_refused": refuses(),
    "transfer_rejected": refuses(after=0.7),
}
ENDINGS = ("answered", "answered_ended_by_operator", "held", "held_ended_by_operator", *TRANSFERS, "left")
MOBILE_ENDINGS = (
    "answered", "answered_ended_by_operator", "left", "not_accepted", "no_answer", "refused", "rejected",
)  # fmt: skip
WAITING = ("rejected.answered", "refused.answered", "no_answer.answered", "idle_left")
TIMED_OUT = "no_answer." * 7 + "ended"
STORIES: dict[str, tuple[str, ...]] = {
    "standard": (*ENDINGS, *WAITING, TIMED_OUT, "idle_ended"),
    "titres": (*ENDINGS, *WAITING, TIMED_OUT, "idle_ended", "greeting_left"),
    "crise": (*ENDINGS, "one_rejects", "one_refuses", "no_answer.answered", "idle_left", TIMED_OUT, "idle_ended"),
    "accueil": (*ENDINGS, "one_rejects", "one_refuses", "all_reject", "ended"),
    "etrangers": (
        *ENDINGS,
        *WAITING,
        "idle_moved.idle_voicemail2",
        *(f"no_answer.moved.{ending}2" for ending in ENDINGS),
        *(f"no_answer.moved.{waiting}2" for waiting in ("rejected2.answered", "refused2.answered")),
        "no_answer.moved.no_answer2.voicemail2",
        "no_answer.moved.idle_left2",
        "no_answer.moved.idle_voicemail2",
    ),
    "permanence": (
        *ENDINGS,
        *WAITING,
        "idle_moved.mobile_left",
        *(f"no_answer.moved.mobile_{ending}" for ending in MOBILE_ENDINGS),
    ),
    "closed": ("announced", "announced_left"),
}


class Play:
    """One recording while it is made: phones act in the order in which they are rung."""

    def __init__(self, stage: Stage, line: Line | None, story: str) -> None:
        self.stage = stage
        self.line = line
        self.parts = story.split(".")
        last = "answered" if story.startswith("one_") else self.parts[-1]
        self.ending = last.removeprefix("mobile_").removesuffix("2")
        self.rung = iter(part for part in self.parts if part.partition("_")[0] not in ("idle", "greeting"))

    async def run(self) -> None:
        phones = self.line.operators if self.line else ()
        if any(part.startswith("idle") for part in self.parts):
            await self.pause(phones, story_before="moved" in self.parts)
        together = self.line is not None and self.line.pattern in (Pattern.RING_ALL, Pattern.CRISIS)
        for phone in phones:
            self.stage.phone(phone, self.behave_together if together else self.behave)
        self.stage.phone("svc1", TRANSFERS.get(self.ending, rings_on()))
        caller = self.stage.call(self.line.ddi if self.line else CLOSED_DDI)
        await self.call(caller)

    async def pause(self, phones, *, story_before: bool) -> None:
        """Nobody can be rung, or nobody any more once the first queue is over."""
        for phone in phones[-1:] if story_before else phones:
            if phone != MOBILE:
                await self.stage.console.act("QueuePause", Interface=f"PJSIP/{phone}", Paused="true")

    async def behave(self, leg: Leg) -> None:
        await self.act(next(self.rung, "no_answer"), leg)

    async def behave_together(self, leg: Leg) -> None:
        """Every phone rings; the first one acts, the second one rejects where one does."""
        number = leg.phone.name[-1]
        again = len([other for other in leg.phone.legs if not other.is_caller]) > 1
        if self.parts[0] == "all_reject":
            await refuses(after=0.5)(leg)
        elif self.parts[0] == "one_rejects" and number == "2":
            await refuses(after=0.7)(leg)
        elif self.parts[0] == "one_refuses" and number == "2":
            await refuses()(leg)
        elif number == "1" and (self.parts[0] != "no_answer" or again):
            await self.act(self.ending, leg)
        else:
            await rings_on()(leg)

    async def act(self, part: str, leg: Leg) -> None:
        kind = part.removeprefix("mobile_").removesuffix("2")
        match kind:
            case "rejected":
                await refuses(after=0.7)(leg)
            case "refused":
                await refuses()(leg)
            case "no_answer" | "moved" | "left" | "ended" | "voicemail":
                await rings_on()(leg)
            case "not_accepted":
                await answers(TALK)(leg)
            case _:
                await answers(TALK)(leg)
                if part.startswith("mobile_"):
                    await asyncio.sleep(TALK)
                    await leg.press("1")
                await self.after_answer(kind, leg)

    async def after_answer(self, kind: str, leg: Leg) -> None:
        await leg.stay(TALK)
        if kind.startswith("held"):
            await leg.hold()
            await leg.stay(TALK)
            await leg.unhold()
            await leg.stay(TALK)
        if kind.endswith("ended_by_operator"):
            leg.bye()
        elif kind.startswith("transfer"):
            await blind(leg, "3001")

    async def call(self, caller: Leg) -> None:
        with contextlib.suppress(Over):
            match self.ending:
                case "announced_left" | "greeting_left":
                    await gives_up(caller, 0.8)
                case "left" | "idle_left":
                    await self.leave(caller)
                case "voicemail" | "idle_voicemail":
                    await caller.until_answered(LONGEST_SECONDS)
                    await caller.stay(2 * TALK)
                case "answered" | "held" | "transferred" | "transfer_left":
                    await self.talk(caller)
                case _:
                    await caller.over.wait()
        if not caller.over.is_set():
            caller.bye()

    async def leave(self, caller: Leg) -> None:
        """Hang up a while after the last phone began to ring, or after all rang in vain."""
        rounds = sum(not part.startswith("idle") for part in self.parts)
        moved = "idle_moved" in self.parts
        while sum(len(phone.legs) for phone in self.called()) < (1 if moved else rounds):  # noqa: ASYNC110 - of any phone
            await asyncio.sleep(0.05)
        if self.ending == "idle_left" and "moved" in self.parts:
            await asyncio.sleep(6.5)  # until the first queue's time is up, while its second phone rings
        await caller.stay(2 * TALK)

    def called(self):
        operators = self.line.operators if self.line else ()
        return [phone for name, phone in self.stage.phones.items() if name in operators]

    async def talk(self, caller: Leg) -> None:
        last = self.stage.phones["svc1"] if self.ending.startswith("transfer") else None
        if last is None:
            answered = [leg for phone in self.called() for leg in phone.legs if leg.answered.is_set()]
            while not answered:
                await caller.stay(0.05)
                answered = [leg for phone in self.called() for leg in phone.legs if leg.answered.is_set()]
            pause = 3 if self.ending == "held" else 1
            await caller.stay((pause + (1.5 if "mobile" in self.parts[-1] else 0)) * TALK + 1)
            return
        while not last.legs:
            await caller.stay(0.05)
        if self.ending == "transferred":
            await last.legs[0].until_answered()
        await caller.stay(TALK)


def _file(out: Path, service: str, story: str) -> Path:
    return out / f"{service}.{story}.ami.gz"


async def record(service: str, story: str, asterisk: lab.Asterisk, out: Path) -> None:
    line = None if service == "closed" else PREFECTURE.line(service)
    async with Stage(asterisk, recorder="console", console="console") as stage:
        async with asyncio.timeout(LONGEST_SECONDS):
            await Play(stage, line, story).run()
            await stage.settled()
        await stage.recorder.close()
        for phone in line.operators if line else ():
            await stage.console.act("QueuePause", Interface=f"PJSIP/{phone}", Paused="false")
        _file(out, service, story).write_bytes(gzip.compress(bytes(stage.recorder.data), mtime=0))


async def work(todo: list[tuple[str, str]], asterisk: lab.Asterisk, out: Path) -> None:
    while todo:
        service, story = todo.pop(0)
        try:
            await record(service, story, asterisk, out)
            said = "done"
        except Exception:  # noqa: BLE001 - one story that goes wrong must not end the others
            said = f"FAILED {traceback.format_exc()}"
        sys.stdout.write(f"{service}.{story} {said}\n")
        sys.stdout.flush()


async def main() -> None:
    parser = argparse.ArgumentParser(description="What is in the folder already is not recorded again.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--asterisk", default="22")
    parser.add_argument("--servers", type=int, default=6)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    todo = [(service, story) for service, stories in STORIES.items() for story in stories]
    if options.names:
        todo = [(service, story) for service, story in todo if f"{service}.{story}" in options.names]
    todo = [one for one in todo if not _file(options.out, *one).exists()]
    todo.sort(key=lambda one: -one[1].count("no_answer") - 8 * ("idle_ended" in one[1]))
    root = lab.lab_folder() / f"asterisk-{options.asterisk}"
    with contextlib.ExitStack() as running:
        servers = [
            running.enter_context(lab.Asterisk(root, overlay=OVERLAY, phones=PREFECTURE.phones))
            for _ in range(min(options.servers, len(todo)))
        ]
        async with asyncio.TaskGroup() as workers:
            for asterisk in servers:
                workers.create_task(work(todo, asterisk, options.out))


asyncio.run(main())
