"""Word lists, and the relations between two words: opposites, synonyms, exclusive classes and spelling variants."""
