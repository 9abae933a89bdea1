"""Defects of one text: a refusal, repetition, garbled text, leaked special tokens, a cut-off ending."""
