"""Two texts side by side: the edits between their words, and the lists and lines that changed their order."""
