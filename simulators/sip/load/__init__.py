"""Load: many short calls a second, on an Asterisk made for it, with telemon beside."""
