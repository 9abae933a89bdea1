"""The text of one answer: its canonical form, its tokens, its addresses and its language."""
