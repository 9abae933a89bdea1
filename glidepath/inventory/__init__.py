"""The inventory of traffic: which calls exist, who makes them, and what a candidate would have to serve.

extproc counts calls (``tally.py``), Redis keeps the counts of hours and days (``stored_periods.py``), and ``glidepath
inventory`` reads them. No body and no credential is stored. See ADR 0360.
"""
