"""The ``workloads.NAME.feedback`` section: which requests can get feedback."""

from __future__ import annotations

from pydantic import Field

from glidepath.config.section import Section
from glidepath.config.units import Duration


class FeedbackSection(Section):
    """Feedback on individual answers, by request id: thumbs, or the success of a task (docs/reference/feedback.md).

    extproc remembers which side served each request of a client, sampled or not, so that feedback counts for this side.
    """

    window: Duration = Field(
        default=86_400, ge=60, le=30 * 86_400
    )  # the time after a request in which feedback on it counts
    requests: int = Field(
        default=200_000, ge=100, le=50_000_000
    )  # maximum requests remembered; about 60 bytes of Redis each
    shown: int = Field(
        default=10_000, ge=0, le=1_000_000
    )  # maximum requests whose feedback is kept to show it with the pair, for retention.age; about 630 bytes each
    kept: int = Field(default=10_000, ge=100, le=1_000_000)  # maximum feedback that waits in Redis for the scorer
