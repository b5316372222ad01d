"""What a disk's error means, in a line for whoever runs telemon."""

from __future__ import annotations

import errno
from typing import Final

FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_ADVICE: Final = {
    errno.ENOSPC: "free some space on its disk",
    errno.EDQUOT: "free some space, or raise the quota of the user that telemon runs as",
    errno.EACCES: "let the user that telemon runs as write its folder",
    errno.EROFS: "mount its disk for writing",
    errno.ENOENT: "put its folder back",
}


def reason(error: Exception) -> str:
    """Return in one line what the disk said and what to do."""
    if not isinstance(error, OSError):
        return type(error).__name__
    advice = _ADVICE.get(error.errno or 0, "look at its disk: the kernel log says more")
    return f"{error.strerror or error} ({advice})"
