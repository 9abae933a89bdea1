"""Readers of the providers' response bodies: one module per API format."""
