"""Word lists, and the relations between two words: opposite, synonym, exclusive class, spelling variant."""
