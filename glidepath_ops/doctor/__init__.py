"""Check the running Envoys and Redis: gather facts by I/O, then derive findings with remedies by pure functions."""
