"""Synthetic requests through both sides, by command (``glidepath probe``) and on schedule (the scorer's leader)."""
