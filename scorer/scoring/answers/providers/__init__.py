"""Readers of the providers' response bodies, with one module for each API format."""
