"""The Asterisk Manager Interface: bytes to messages, messages to events, and the link that carries them."""
