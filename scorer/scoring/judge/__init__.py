"""Judge one answer by itself: what is wrong with it, whatever the other side answered."""
