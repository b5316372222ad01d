"""What one finished call means for the list of those to be called back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemon.callbacks.lost import Loss
from telemon.judgement import judge
from telemon.records import Flag

if TYPE_CHECKING:
    from telemon.instants import Instant
    from telemon.records import CallRecord
    from telemon.rulesets import RuleSet


def concerns_nobody(record: CallRecord) -> bool:
    """Whether the caller is none to call back, however it ended: a test call, or somebody of the house."""
    return record.is_probe or Flag.INTERNAL in record.flags


def contact_of(record: CallRecord) -> Instant | None:
    """Return until when an operator talked to the caller, as far as seen; None if nobody did.

    A machine's answer is no contact, even where the rule set takes it for an answer.
    """
    if record.answered_at is None:
        return None
    return record.answered_at if record.ended_at is None else max(record.answered_at, record.ended_at)


def loss_of(record: CallRecord, ruleset: RuleSet, number: str, until: Instant) -> Loss | None:
    """Return the loss that this call was under a rule set, if it was one; a short abandon is none."""
    outcome = judge(record, ruleset).outcome
    if outcome not in ruleset.lost or record.ended_at is None or record.answered_at is not None:
        return None
    return Loss(record.ended_at, record.call_id, until, record.service, outcome.value, number)
