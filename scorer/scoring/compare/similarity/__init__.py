"""The similarity of two whole texts, measured by the vectors of an embedding model or by shared characters."""
