"""Checks the running Envoys and Redis: gathers facts by I/O, then derives findings with remedies by pure functions."""
