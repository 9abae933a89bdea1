"""The score loop (``loop``) and the process that scores for it (``child``); neither loads what only the other needs."""
