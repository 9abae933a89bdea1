"""Verifiers: the user's own command or HTTP endpoint that measures how right each answer of a pair is. See ADR 0226."""
