"""One answer's text, read once: its canonical form, its tokens, its addresses and its language."""
