"""One module per task: how two answers of that task are compared."""
