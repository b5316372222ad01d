"""The roster: who is on duty when, from a calendar or the configuration, and who signed in or out."""
