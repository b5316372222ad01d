"""The journal: what each PBX said, on disk within 100 ms of its being heard, for short."""
