"""Word lists, and the relations between two words: opposites, synonyms, spelling variants and mutual exclusion."""
