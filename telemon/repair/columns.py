"""Which column of a source is which: by its name, or by its place where Asterisk writes no header."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from telemon.repair.kinds import SourceKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COLUMNS: Final[Mapping[SourceKind, tuple[str, ...]]] = {
    SourceKind.QUEUE_LOG: (
        "time", "callid", "queuename", "agent", "event", "data1", "data2", "data3", "data4", "data5",
    ),
    SourceKind.CDR: (
        "accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp", "lastdata", "start",
        "answer", "end", "duration", "billsec", "disposition", "amaflags", "uniqueid", "userfield", "peeraccount",
        "linkedid", "sequence",
    ),
    SourceKind.CEL: (
        "eventtype", "eventtime", "cidname", "cidnum", "cidani", "cidrdnis", "ciddnid", "exten", "context", "channame",
        "appname", "appdata", "amaflags", "accountcode", "uniqueid", "linkedid", "peer", "userfield", "userdeftype",
        "extra", "peeraccount",
    ),
}  # fmt: skip
"""What a row of each kind is made of. CDR and CEL: in the order of cdr/cdr_csv.c, and of cel_custom.conf.sample."""

NEEDED: Final[Mapping[SourceKind, frozenset[str]]] = {
    SourceKind.QUEUE_LOG: frozenset({"time", "callid", "event"}),
    SourceKind.CDR: frozenset({"start", "channel", "disposition", "duration", "uniqueid"}),
    SourceKind.CEL: frozenset({"eventtype", "eventtime", "channame", "uniqueid", "linkedid"}),
}
"""Without these, nothing can be told of a call."""

TIME: Final[Mapping[SourceKind, str]] = {
    SourceKind.QUEUE_LOG: "time",
    SourceKind.CDR: "start",
    SourceKind.CEL: "eventtime",
}

# Other names of the same thing: in tables of cdr_mysql and cdr_pgsql (calldate), of cel_pgsql and cel_odbc (cid_…), and
# in the field lists of cel_custom since Asterisk 22.
_ALIASES: Final[Mapping[str, str]] = {
    "calldate": "start", "callerid": "clid", "eventextra": "extra", "bridgepeer": "peer", "cid_name": "cidname",
    "cid_num": "cidnum", "cid_ani": "cidani", "cid_rdnis": "cidrdnis", "cid_dnid": "ciddnid",
    "name": "cidname", "num": "cidnum", "ani": "cidani", "rdnis": "cidrdnis", "dnid": "ciddnid", "data": "data1",
}  # fmt: skip
_CDR_CUSTOM: Final = (
    "clid", "src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "lastdata", "start", "answer", "end",
    "duration", "billsec", "disposition", "amaflags", "accountcode", "uniqueid", "userfield", "sequence",
)  # fmt: skip
"""cdr_custom.conf.sample."""
_CDR_BASE: Final = COLUMNS[SourceKind.CDR][:16]
_CDR_NEW: Final = ("peeraccount", "linkedid", "sequence")  # newcdrcolumns=yes
_CDR_START: Final = _CDR_BASE.index("start")
_CDR_CUSTOM_START: Final = _CDR_CUSTOM.index("start")
_CEL_LEAST: Final = 16  # up to the linkedid
_DATE = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d|\d{9,11}(\.\d+)?")
_UNIQUEID = re.compile(r"(.*-)?\d{9,11}\.\d+")


def canonical(kind: SourceKind, names: Sequence[str]) -> dict[str, str]:
    """Return the source's own name of each column that readers know; its first wins where two mean the same."""
    known = COLUMNS[kind]
    found: dict[str, str] = {}
    for exact in (True, False):
        for name in names:
            plain = name.strip().lower()
            meant = plain if exact else _ALIASES.get(plain, "")
            if meant in known:
                found.setdefault(meant, name)
    return found


def header(kind: SourceKind, cells: Sequence[str]) -> tuple[str, ...] | None:
    """Return what each cell of a header line names ("" for what nobody asks for); None if this is no header."""
    found = canonical(kind, cells)
    if not NEEDED[kind] <= found.keys():
        return None
    meanings = {name: meant for meant, name in found.items()}
    return tuple(meanings.get(cell, "") for cell in cells)


def layout(kind: SourceKind, cells: Sequence[str]) -> tuple[str, ...] | None:
    """Return what each cell of a line stands for by its place; None if Asterisk writes no such line by itself."""
    if kind is SourceKind.CDR:
        return _layout_of_cdr(cells)
    columns = COLUMNS[kind]
    if kind is SourceKind.QUEUE_LOG:
        return columns[: len(cells)] if len(cells) >= len(NEEDED[kind]) + 2 and _is_date(cells[0]) else None
    return columns[: len(cells)] if _CEL_LEAST <= len(cells) <= len(columns) and _is_date(cells[1]) else None


def _layout_of_cdr(cells: Sequence[str]) -> tuple[str, ...] | None:
    """cdr_csv.c writes 16 columns, then those that cdr.conf asks for; cdr_custom.conf.sample has the caller first."""
    count = len(cells)
    if _CDR_CUSTOM_START < count <= len(_CDR_CUSTOM) and _is_date(cells[_CDR_CUSTOM_START]):
        return _CDR_CUSTOM[:count]
    if count < len(_CDR_BASE) or not _is_date(cells[_CDR_START]):
        return None
    new = _CDR_NEW if count >= len(_CDR_BASE) + len(_CDR_NEW) else ()
    between: tuple[str, ...] = ("uniqueid", "userfield")[: count - len(_CDR_BASE) - len(new)]
    if len(between) == 1 and not _UNIQUEID.fullmatch(cells[len(_CDR_BASE)]):
        between = ("userfield",)
    meant = (*_CDR_BASE, *between, *new)
    return meant if len(meant) == count else None


def _is_date(cell: str) -> bool:
    return _DATE.match(cell) is not None
