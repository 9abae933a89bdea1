"""The agreement of two free texts as a calibrated probability that they mean the same (ADR 0215)."""
