"""A real Asterisk in a private root, with the dialplans of this project."""
