"""How similar two whole texts are: by the vectors of an embedding model, or by shared characters."""
