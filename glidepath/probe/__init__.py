"""Synthetic requests to both sides: by command (``glidepath probe``) and on a schedule (the scorer's leader)."""
