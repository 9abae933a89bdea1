"""The child process that scores batches, and the scorer's client for it."""
