"""Write the dashboards' JSON: ``python -m dashboards.source``; with ``--check`` only say which files differ."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dashboards.source import crisis, health, live, permanence, promises, sites, staffing
from dashboards.source.board import draw
from dashboards.source.words import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER: Final = Path(__file__).parents[1] / "grafana"
PLANS: Final = tuple(one.PLAN for one in (live, promises, permanence, staffing, crisis, sites, health))


def drawn() -> dict[Path, str]:
    """Return each file's path and what it should hold."""
    return {
        FOLDER / language / f"{plan.slug}.json": draw(plan, language)[0] for language in LANGUAGES for plan in PLANS
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files, or compare them; return the exit status, 1 if files differ under ``--check``."""
    parser = argparse.ArgumentParser(prog="python -m dashboards.source", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 if a file is not as it should be")
    checking = parser.parse_args(arguments).check
    wanted = {path: told.encode() for path, told in drawn().items()}
    stray = set(FOLDER.glob("*/*.json")) - wanted.keys()
    stale = {path for path, told in wanted.items() if not path.is_file() or path.read_bytes() != told}
    if checking:
        for path in sorted(stale | stray):
            sys.stderr.write(f"{path.relative_to(FOLDER.parents[1])} is not what the source says.\n")
        return int(bool(stale | stray))
    for path in stray:
        path.unlink()
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wanted[path])
    return 0


if __name__ == "__main__":
    sys.exit(main())
