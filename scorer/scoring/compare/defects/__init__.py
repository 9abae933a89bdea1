"""Detection of defects in one text: refusals, repetition, garbled text, leaked special tokens, and cut-off endings."""
