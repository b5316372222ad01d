"""What a database's error means, in a line for whoever runs telemon."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

# SQLite: sqlite3ErrStr() in its main.c and https://www.sqlite.org/rescode.html; PostgreSQL: as its server says it.
_ADVICE = {
    "database is locked": "another program holds the file; end it, or let it finish",
    "lock timeout": "another program holds the tables; end it, or let it finish",
    "database or disk is full": "free some space on its disk",
    "readonly database": "give the user that telemon runs as the right to write the file and its folder",
    "read-only transaction": "it is a standby or read-only; give telemon the primary's address",
    "unable to open database file": "its folder must exist, and the user that telemon runs as must write to it",
    "file is not a database": "give another file, or put the ledger back from a backup",
    "malformed": "the file is damaged; put the ledger back from a backup",
    "disk I/O error": "look at its disk: the kernel log says more",
    "no such table": "restart telemon, which makes what is missing",
    "password authentication failed": "correct the user or password in the ledger's URL",
    "permission denied": "grant the database user the right to create and write tables",
    "does not exist": "create it, or correct the ledger's URL",
    "connection to server": "start the server, or correct host and port in the ledger's URL",
}


def reason(error: Exception) -> str:
    """Return in one line what the driver said and what to do; never the statement or its parameters."""
    original = error.orig if isinstance(error, DBAPIError) else error
    said = " ".join(str(original).split()) or type(original).__name__
    advice = next((todo for sign, todo in _ADVICE.items() if sign in said), None)
    return said if advice is None else f"{said} ({advice})"
