"""Stored pairs for people: select them, read their bodies, show them, export them."""
