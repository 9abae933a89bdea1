"""The bodies that the HTTP API accepts, and their checks."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from glidepath.errors import InputError
from glidepath.feedback import MAX_ID_CHARS, MAX_LABEL_CHARS, MAX_USER_CHARS
from glidepath.pair_labels import Judgement
from glidepath.status_and_decisions import CommandKind

MOST_REASON, MOST_NOTE = 2000, 500
_MODEL = ConfigDict(extra="forbid", allow_inf_nan=False, str_strip_whitespace=True)


class CommandBody(BaseModel):
    """A command to the leader, with the fields that the command line sends."""

    model_config = _MODEL

    kind: CommandKind = Field(description="the command, such as hold")
    reason: str = Field("", max_length=MOST_REASON, description="why; the decision log shows it")
    percent: float | None = Field(
        None, ge=0, le=100, description="promote, approve, rollback, drill: the new share; shadow: that of copies"
    )
    force: bool = Field(False, description="act despite failing gates, freeze windows and a missing approval")
    end_validation: bool = Field(False, description="promote at the last step: complete the workload")
    target: str = Field("", max_length=60, pattern=r"^(\d{1,20}-\d{1,20})?$", description="annotate: the decision's id")
    who: str = Field("", max_length=64, description="with a bearer token: the person or program that acts")


class LabelBody(BaseModel):
    """A person's judgement of a pair."""

    model_config = _MODEL

    id: str = Field(max_length=500, description="the pair's id")
    label: Judgement = Field(description="whether the candidate's answer may replace the baseline's")
    note: str = Field("", max_length=MOST_NOTE, description="why")
    who: str = Field("", max_length=64, description="with a bearer token: the person who judged")


class FeedbackBody(BaseModel):
    """Feedback on one answer: exactly one of score, thumbs and success, or a label, or both."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    request_id: str = Field(min_length=1, max_length=MAX_ID_CHARS, description="the x-request-id of the response")
    score: float | Literal["up", "down"] | None = Field(None, description="from 0 (bad) to 1 (good), up or down")
    thumbs: Literal["up", "down"] | None = None
    success: bool | None = Field(None, description="whether the answer solved its task")
    label: str | None = Field(None, max_length=MAX_LABEL_CHARS, description="a short text, shown with the pair")
    user: str | None = Field(None, max_length=MAX_USER_CHARS, description="who gave it; only a digest is stored")
    workload: str | None = Field(None, description="needed if several workloads have a feedback section")


M = TypeVar("M", CommandBody, LabelBody)


def parsed(model: type[M], body: dict[str, Any]) -> M:
    """Return the body as a ``model``. The message of the InputError names each wrong field and the allowed values."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in error.errors()[:5]]
        raise InputError("; ".join(faults)[:800]) from error
