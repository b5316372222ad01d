"""telemon measures what a switchboard promises its callers, and shows the proof."""

from importlib.metadata import version

__version__ = version("telemon")
