"""Choose the pairs that the verifier gets, and build the messages to it. Pure."""

from __future__ import annotations

from glidepath.config.comparison import VerifierSection
from scorer.scoring.sampling import is_sampled
from scorer.scoring.verify.verifier_messages import PairToVerify, VerifierInput, message_of


def to_verify(pair: PairToVerify, settings: VerifierSection) -> VerifierInput | None:
    """Return the verifier's input for a pair; None if the pair is not drawn. A message that is too large becomes ""."""
    if not is_sampled(pair.id, settings.sample, "verifier"):
        return None
    message = message_of(pair, blind=settings.blind)
    return VerifierInput(pair.id, message if len(message) <= settings.max_input else "")
