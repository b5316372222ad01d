"""Switchboards that need no Asterisk: the same events on the same wire, from a plan whose outcome is known."""
