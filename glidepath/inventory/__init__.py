"""The inventory of traffic: which calls there are, who makes them, and what a candidate would have to serve.

extproc counts (``tally.py``), Redis keeps the counts of hours and days (``stored_periods.py``), and ``glidepath
inventory`` reads them. No body and no credential is kept. See ADR 0360.
"""
