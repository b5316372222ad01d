"""What the names of Asterisk's dialplan applications tell about a caller."""

from __future__ import annotations

from typing import Final

# Dialplan applications that reach for a person: while one runs, the caller's line goes up for an operator.
REACHING: Final = frozenset({
    "Dial", "Queue", "RetryDial", "Page", "Pickup", "PickupChan", "ParkedCall", "Bridge", "AppDial", "AppDial2",
    "AppQueue",
})  # fmt: skip
RINGING_FOR: Final = frozenset({"Queue", "Dial"})  # a caller found in one of these is, or was, being rung for
# Applications that speak to the caller instead of a person.
SPEAKING: Final = frozenset({
    "VoiceMail", "VoiceMailMain", "MiniVM_Record", "Playback", "BackGround", "Background", "BackgroundDetect",
    "ControlPlayback", "WaitExten", "Read", "Record", "MusicOnHold", "Echo", "Directory", "Festival", "SayAlpha",
    "SayDigits", "SayNumber", "SayPhonetic", "SayUnixTime", "Dictate", "ExternalIVR", "IVRDemo", "Playtones",
    "Milliwatt",
})  # fmt: skip
REFUSING: Final = frozenset({"Busy", "Congestion"})
DIALLED: Final = frozenset({"AppDial", "AppQueue"})  # what a leg that is dialled seems to run
