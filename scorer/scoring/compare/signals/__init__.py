"""The signals of two texts: each measures how far they diverge in one respect."""
