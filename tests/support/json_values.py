"""Hypothesis strategy for JSON values, with keys that Envoy's runtime and our own state use."""

from __future__ import annotations

from hypothesis import strategies as st

_KEYS = ["layers", "entries", "layer_values", "glidepath.chat.x", "admin"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), children, max_size=4),
    max_leaves=12,
)
