"""The signals of two texts. Each signal measures how far the texts diverge in one respect."""
