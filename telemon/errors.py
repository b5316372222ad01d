"""Every error that telemon raises on purpose.

::

    TelemonError
    ├── ConfigError            the configuration file or its environment is wrong
    ├── CaptureError           a capture to replay cannot be read
    ├── JournalError           the journal's folder cannot be used, or a segment is damaged
    ├── SourceError            a file or database of Asterisk's own records cannot be read
    ├── RosterError            the duty calendar cannot be fetched or read
    ├── PresenceError          a sign-in is refused: who, or with which PIN
    ├── ProbeError             a test call cannot be placed
    ├── CrisisError            a crisis cell cannot be opened, joined or closed now
    ├── DashboardError         Grafana cannot be reached, or refuses what is pushed
    ├── AmiError               something between telemon and one Asterisk
    │   ├── AmiProtocolError       the bytes are no AMI, or beyond a limit
    │   ├── AmiInjectionError      an outgoing header would carry CR, LF or NUL
    │   ├── AmiConnectionError     host refused, unreachable, or the link fell
    │   │   └── AmiSilenceError        no answer to a ping: frozen, or cut off
    │   ├── AmiLoginError          wrong name or secret, or this address is not permitted
    │   └── AmiPermissionError     logged in, but without the rights telemon needs
    └── LedgerError            the database refuses, is full, locked, or of another version

The message of each says what is wrong, where, and what to do about it.
"""


class TelemonError(Exception):
    """Root of the tree; its text is meant for the operator, as one line."""


class ConfigError(TelemonError):
    """The configuration is missing, malformed, or contradicts itself."""


class CaptureError(TelemonError):
    """A file given to ``telemon replay`` cannot be read as raw AMI bytes."""


class JournalError(TelemonError):
    """The journal cannot be opened or read."""


class SourceError(TelemonError):
    """A queue_log, CDR or CEL, given to ``telemon import``, cannot be read."""


class RosterError(TelemonError):
    """The duty calendar cannot be fetched, or says what nobody can follow."""


class PresenceError(TelemonError):
    """Somebody cannot be signed in or out."""


class ProbeError(TelemonError):
    """A test call cannot be placed, or not now."""


class CrisisError(TelemonError):
    """What is asked of a crisis cell does not fit the stage it is in."""


class DashboardError(TelemonError):
    """Grafana cannot be reached, does not know the token, or refuses what is pushed."""


class AmiError(TelemonError):
    """Something between telemon and one Asterisk went wrong."""


class AmiProtocolError(AmiError):
    """The peer's bytes are not AMI, or one message is beyond a limit."""


class AmiInjectionError(AmiError):
    """An outgoing header or value holds CR, LF or NUL and would forge another header."""


class AmiConnectionError(AmiError):
    """The connection cannot be made, or fell."""


class AmiSilenceError(AmiConnectionError):
    """The peer holds the connection open but no longer answers."""


class AmiLoginError(AmiError):
    """Asterisk refuses the login."""


class AmiPermissionError(AmiError):
    """The login works, but may not see or ask what telemon needs."""


class LedgerError(TelemonError):
    """The ledger's database cannot be opened, written or migrated."""
