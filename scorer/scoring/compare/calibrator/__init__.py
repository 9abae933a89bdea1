"""Learn from labelled pairs how much the differences of two texts say about their meaning."""
