"""The number of tokens of a request and its answer, by the kinds that providers price, and the source of this number.

The counts mean the same for every provider: ``input`` and ``output`` contain all tokens, including those of special
kinds. ``read_token_usage.py`` converts each provider's numbers to this form. See ADR 0370.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

MOST_TOKENS = 10**9  # the limit for one kind in one answer; a larger number is treated as an error


class TokenSource(StrEnum):
    """The source of an answer's token counts."""

    MEASURED = "measured"  # the backend states them in its answer
    COUNTED = "counted"  # counted with the tokenizer of the backend's model
    ESTIMATED = "estimated"  # one token for four bytes, or for each event of a stream


class ServiceTier(StrEnum):
    """The tier in which a provider served a request, as its answer says. Each tier has its own prices."""

    STANDARD = "standard"
    BATCH = "batch"  # answered when the provider has free capacity: batch, flex
    PRIORITY = "priority"


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """The tokens of one answer, or the sum over several answers with the same source and tier.

    - ``input``: all tokens of the prompt
    - ``cached_read``, ``cached_write``, ``cached_write_1h``, ``audio_input``: the parts of ``input`` that were read
      from the provider's prompt cache, written to it for minutes, written to it for an hour, or are audio
    - ``output``: all tokens that the model wrote
    - ``reasoning``, ``audio_output``: parts of ``output``
    - ``answers``: the number of answers with these tokens
    """

    input: int = 0
    output: int = 0
    cached_read: int = 0
    cached_write: int = 0
    cached_write_1h: int = 0
    audio_input: int = 0
    reasoning: int = 0
    audio_output: int = 0
    source: TokenSource = TokenSource.MEASURED
    tier: ServiceTier = ServiceTier.STANDARD
    answers: int = 1

    @property
    def plain_input(self) -> int:
        """The input tokens that are of no special kind. Never negative, whatever an answer states."""
        parts = self.cached_read + self.cached_write + self.cached_write_1h + self.audio_input
        return max(0, self.input - parts)

    @property
    def plain_output(self) -> int:
        return max(0, self.output - self.reasoning - self.audio_output)

    @property
    def key(self) -> tuple[TokenSource, ServiceTier]:
        """The source and the tier. Usages with the same key may be added up."""
        return self.source, self.tier

    def __add__(self, other: TokenUsage) -> TokenUsage:
        if self.key != other.key:
            raise ValueError("token counts of two sources or tiers have no sum")
        return TokenUsage(
            self.input + other.input,
            self.output + other.output,
            self.cached_read + other.cached_read,
            self.cached_write + other.cached_write,
            self.cached_write_1h + other.cached_write_1h,
            self.audio_input + other.audio_input,
            self.reasoning + other.reasoning,
            self.audio_output + other.audio_output,
            self.source,
            self.tier,
            self.answers + other.answers,
        )


COUNTS = (
    "input",
    "output",
    "cached_read",
    "cached_write",
    "cached_write_1h",
    "audio_input",
    "reasoning",
    "audio_output",
)


def counts_of(usage: TokenUsage) -> tuple[int, ...]:
    """Return the counts of tokens, in the order of COUNTS."""
    return (
        usage.input,
        usage.output,
        usage.cached_read,
        usage.cached_write,
        usage.cached_write_1h,
        usage.audio_input,
        usage.reasoning,
        usage.audio_output,
    )


def merged(usages: Iterable[TokenUsage]) -> tuple[TokenUsage, ...]:
    """Return one usage for each source and tier, in a fixed order."""
    sums: dict[tuple[TokenSource, ServiceTier], TokenUsage] = {}
    for usage in usages:
        known = sums.get(usage.key)
        sums[usage.key] = usage if known is None else known + usage
    return tuple(sums[key] for key in sorted(sums))
