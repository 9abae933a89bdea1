"""``glidepath report``: the case for a migration in one document, based on measurements.

``gather_report_facts.py`` reads Redis, the chapters turn facts into a document (``document.py``), and ``to_html.py``
and ``to_markdown.py`` write it. Only ``gather_report_facts.py`` does I/O.
"""
