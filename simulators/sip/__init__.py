"""Planned calls placed with SIPp at a real Asterisk, and what the SIP side saw of them."""
