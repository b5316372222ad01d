"""telemon's own configuration for a site that is rehearsed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from simulators.site import Line, Site


_ANY_HASTE: Final = 1e9  # seconds; a century of calls may pass in a moment


def telemon_toml(
    site: Site,
    *,
    host: str,
    port: int,
    username: str,
    secret: str,
    folder: Path,
    web_port: int = 0,
    hours: Mapping[str, Sequence[str]] | None = None,
    closed_on: Sequence[date] = (),
    real_time: bool = True,
) -> str:
    """Return a ``telemon.toml`` that measures ``site`` at the manager interface of ``host`` and ``port``.

    The ledger (SQLite) and the key file are to lie in ``folder``; ``web_port`` 0 takes any free port. Services that
    have ``hours`` (by their name; the others are always open) are closed on the days of ``closed_on``, too. Without
    ``real_time`` the manager interface tells a time that runs faster than telemon's own.
    """
    hours = hours or {}
    folder = folder.absolute()
    tables = [
        _table("", site=site.name),
        _table("[[pbx]]", host=host, port=port, username=username, secret=secret, **_clock(real_time=real_time)),
        *(_service(line, hours.get(line.service, ()), closed_on) for line in site.lines),
        _table("[ledger]", url=f"sqlite:///{folder / 'telemon.db'}", key_file=str(folder / "telemon.key")),
        _table("[web]", port=web_port),
    ]
    return "\n".join(tables)


def _clock(*, real_time: bool) -> dict[str, float]:
    return {} if real_time else {"clock_tolerance_seconds": _ANY_HASTE}


def _service(line: Line, hours: Sequence[str], closed_on: Sequence[date]) -> str:
    beyond_queues = [f"PJSIP/{phone}" for phones in line.phones[len(line.queues) :] for phone in phones]
    table = _table(
        "[[service]]",
        name=line.service,
        kind=line.kind.value,
        ddis=[line.ddi],
        queues=line.queues,
        operators=beyond_queues,
        hours=list(hours),
    )
    return table + f"closed_on = [{', '.join(map(str, closed_on))}]\n" if hours and closed_on else table


def _table(header: str, /, **values: object) -> str:
    """Write one table; JSON's strings, numbers and lists, written without escapes for Unicode, are TOML's too."""
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in values.items()]
    return "".join([f"{header}\n" if header else "", *lines])
