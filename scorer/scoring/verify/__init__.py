"""Verifiers: a user's own command or HTTP endpoint that measures how correct each answer of a pair is; see ADR 0226."""
