"""The ``retention`` section: how long Redis keeps data."""

from __future__ import annotations

from pydantic import Field

from glidepath.config.section import MOST, Section
from glidepath.config.units import Duration, Size


class RetentionSection(Section):
    """Limits on the data that Redis keeps for each workload. The limit that is reached first applies."""

    pairs: int = Field(default=10_000, ge=1, le=MOST)  # maximum number of pairs
    bytes: Size = Field(default=256 * 2**20, ge=2**16)  # maximum bytes of pairs
    age: Duration = Field(default=7 * 86400, gt=0)  # maximum age of pairs, outcome summaries, and results with excerpts
    results: int = Field(default=100_000, ge=1, le=MOST)  # maximum number of scored pairs
    outcomes: int = Field(default=100_000, ge=1, le=MOST)  # maximum number of outcome summaries
    log: int = Field(default=100_000, ge=1000, le=MOST)  # maximum number of decisions
    # Pairs that are kept longer: those that weighed most for a rollback or a hold, and those that a person labelled.
    kept: int = Field(default=2000, ge=0, le=5000)  # maximum number of kept pairs
    kept_bytes: Size = Field(default=64 * 2**20, ge=2**16)  # maximum bytes of kept pairs
    kept_age: Duration = Field(default=90 * 86400, gt=0)  # maximum age of kept pairs
    labels: int = Field(default=10_000, ge=1, le=MOST)  # maximum number of labels
