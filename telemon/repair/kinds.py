"""Asterisk's own records of calls, and what their columns are called here."""

from __future__ import annotations

from enum import StrEnum


class SourceKind(StrEnum):
    """Which of Asterisk's records a source holds."""

    QUEUE_LOG = "queue_log"
    CDR = "cdr"
    CEL = "cel"
