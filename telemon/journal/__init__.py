"""The journal: what each PBX said, on its way to the disk within 50 ms of its being heard, for short."""
