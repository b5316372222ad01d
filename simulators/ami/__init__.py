"""An AMI server without Asterisk, the calls it tells of, and living traffic for it."""
