"""The wallboard: what happens at the switchboard now, as pages of the daemon itself."""
