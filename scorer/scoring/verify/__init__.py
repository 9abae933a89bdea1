"""Verifiers: a command or an HTTP endpoint of the user's own says how right each answer of a pair is. See ADR 0226."""
