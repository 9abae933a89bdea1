"""The ``workloads.NAME.scoring`` section: how two answers are compared."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from glidepath.config.prices import Price
from glidepath.config.section import MOST, Section
from glidepath.config.units import Duration, Fraction, Share, Size
from glidepath.config.urls_and_secrets import BaseUrl, HttpUrl, Secret
from glidepath.errors import error_text
from glidepath.name_suggestions import allowed_names

Task = Literal["chat", "generation", "classification", "extraction", "tools", "embeddings", "rerank", "auto"]

FREE_TEXT: tuple[Task, ...] = ("chat", "generation", "auto")  # tasks whose right answers may differ in wording

# Signals about the content. Their weights were learned from labelled pairs (glidepath/agreement_weights.json).
# The weight that the configuration gives to such a signal multiplies its effect.
CONTENT_SIGNALS = ("numbers", "negation", "swapped_words", "names", "omission", "wording", "code", "final_answer")

# Signal → its weight. For a signal about form: the share by which its full effect lowers the agreement
# (docs/reference/scoring.md).
DEFAULT_WEIGHTS: dict[str, float] = {
    **dict.fromkeys(CONTENT_SIGNALS, 1.0),
    "refusal": 0.8,
    "empty": 1.0,
    "length": 0.35,
    "truncation": 0.6,
    "repetition": 0.6,
    "off_topic": 0.5,
    "language": 0.8,
    "garbling": 0.6,
    "leaked_tokens": 0.6,
    "operators": 0.8,
    "confidence": 0.1,
}


DEFAULT_RUBRIC = (
    "The better answer serves the user better: it does what the request asks, its facts are right, and nothing that"
    " the user needs is missing. Length, style and formatting count only where they help or hinder the user."
)


class ClassificationSection(Section):
    """Settings for finding the label in a classifier's answer.

    In ``labels``, each key is a label that a model may write, and its value is the class that this label stands for.
    ``matter`` lists the classes that get their own gates.
    """

    ignore_case: bool = True
    ignore_punctuation: bool = True
    first_line: bool = False  # true: the label is the first line that is not blank
    pattern: str | None = None  # a regular expression; the label is its first group, or its match if it has no group
    labels: dict[str, str] = Field(default_factory=dict)
    matter: tuple[str, ...] = ()

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        import re

        if value is not None:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"is not a regular expression: {error}") from error
        return value


class ExtractionSection(Section):
    """Settings for comparing two JSON answers.

    Keys are paths such as ``total``, ``items[].price`` or ``items[*].price``; ``*`` matches every key. ``ignore`` lists
    keys that are not compared. ``tolerance`` maps a key to the largest difference at which two numbers count as equal:
    a number, or a share such as ``"1%"``.
    """

    schema_: dict[str, Any] | None = Field(default=None, alias="schema")  # a JSON schema; absent: the request's schema
    unordered: tuple[str, ...] = ()  # keys of lists whose order does not matter
    ignore: tuple[str, ...] = ()
    tolerance: dict[str, float | str] = Field(default_factory=dict)
    ignore_case: bool = False

    @field_validator("schema_")
    @classmethod
    def _is_schema(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        if value is not None:
            from jsonschema.exceptions import SchemaError  # slow to import and seldom needed
            from jsonschema.validators import validator_for

            try:
                validator_for(value).check_schema(value)
            except SchemaError as error:
                raise ValueError(f"is not a JSON schema: {error.message}") from error
        return value

    @field_validator("tolerance")
    @classmethod
    def _tolerances(cls, value: dict[str, float | str]) -> dict[str, float | str]:
        for key, tolerance in value.items():
            number = tolerance.removesuffix("%") if isinstance(tolerance, str) else str(tolerance)
            try:
                sound = 0 <= float(number) < float("inf")
            except ValueError:
                sound = False
            if not sound:
                raise ValueError(f"{key}: must be a number such as 0.01, or relative such as '1%'")
        return value


class EmbeddingsSection(Section):
    """Settings for comparing the answers of two embedding models.

    If both models share one vector space, the two vectors of each input are compared. Otherwise, the lists of each
    input's ``neighbours`` nearest inputs are compared. With ``same_space: auto``, models that have the same name and
    dimension share one space.
    """

    same_space: bool | Literal["auto"] = "auto"
    neighbours: int = Field(default=5, ge=1, le=100)


class RerankSection(Section):
    """Settings for comparing the results of two rerank models: only the first ``k`` results of each ranking count."""

    k: int = Field(default=10, ge=1, le=1000)


class EvaluatorCost(Section):
    """Limits on the cost of the evaluator's answers for all scorers together, in the currency of the prices.

    When a limit is reached, no pair is judged for the rest of the hour, or until ``total`` is raised.
    """

    per_hour: float | None = Field(default=None, ge=0)  # per UTC hour and workload
    total: float | None = Field(default=None, ge=0)  # per workload, since its first judged pair

    @model_validator(mode="after")
    def _has_limit(self) -> EvaluatorCost:
        if self.per_hour is None and self.total is None:
            raise ValueError("needs per_hour, total, or both")
        return self


class EvaluatorSection(Section):
    """A model that says which answer of a pair is better. Any OpenAI-compatible server can run it.

    It judges a random share of the pairs. It is asked about each pair twice: with the answers in both orders. Its
    preference is the evidence of the gate ``preference``. It does not change the agreement. Only answers of free text
    are judged (docs/reference/evaluator.md).
    """

    url: BaseUrl
    model: str
    credential: Secret | None = None
    rubric: str = Field(default=DEFAULT_RUBRIC, min_length=1, max_length=8000)  # what makes an answer better
    sample: Share = Field(default=0.1, gt=0, le=1)  # the share of the cross pairs that the evaluator judges
    budget: int = Field(default=1000, ge=0, le=MOST)  # maximum pairs of all scorers, per UTC day and workload
    price: Price | None = None  # prices of the evaluator's tokens
    max_cost: EvaluatorCost | None = None  # needs price; absent: no limit on the cost
    in_flight: int = Field(default=4, ge=1, le=64)  # maximum simultaneous questions of one scorer
    timeout: Duration = Field(default=30, gt=0)  # of one question
    max_chars: int = Field(default=6000, ge=200, le=100_000)  # maximum characters of each answer that a question quotes

    @model_validator(mode="before")
    @classmethod
    def _refuse_between(cls, value: Any) -> Any:
        if isinstance(value, dict) and "between" in value:
            raise ValueError(
                "between no longer exists, because pairs are drawn evenly; write sample, the share of the pairs"
                " that the evaluator judges, such as sample: 10%"
            )
        return value

    @model_validator(mode="after")
    def _cost_has_a_price(self) -> EvaluatorSection:
        if self.max_cost is not None and self.price is None:
            raise ValueError("max_cost has no effect without price, such as price: {input: 0.15, output: 0.6}")
        return self


class VerifierSection(Section):
    """Your own program or HTTP endpoint that says how correct each answer of a pair is (docs/reference/verifier.md).

    Give exactly one of ``command`` and ``url``. The verifier gets one JSON object: the request and the two answers. It
    replies with a number from 0 to 1 for each answer, which is the evidence of the gate ``correctness``. It runs next
    to the scorer, never in the path of a request.
    """

    command: tuple[str, ...] | None = Field(default=None, min_length=1)  # program and arguments; no shell reads them
    url: HttpUrl | None = None  # an endpoint that gets a POST request for each pair
    credential: Secret | None = None  # sent to url as a bearer token
    blind: bool = True  # true: the answers are called a and b, in a random order; false: baseline and candidate
    sample: Share = Field(default=1.0, gt=0, le=1)  # the share of the cross pairs that are verified
    per_second: float = Field(default=10, gt=0, le=1000)  # maximum pairs per second of one scorer
    in_flight: int = Field(default=2, ge=1, le=64)  # maximum pairs at the same time of one scorer
    timeout: Duration = Field(default=10, ge=0.1, le=300)  # maximum time for one pair
    memory: Size = Field(default=2**30, ge=2**24)  # maximum address space of the command and of each of its processes
    max_input: Size = Field(default=2**18, ge=2**10, le=2**22)  # a pair with a larger JSON object is not verified

    @field_validator("command")
    @classmethod
    def _can_be_started(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value is not None and (not value[0].strip() or any("\0" in part for part in value)):
            raise ValueError("must be a list such as [python3, /etc/glidepath/verify.py]")
        return value

    @model_validator(mode="after")
    def _one_of_both(self) -> VerifierSection:
        if (self.command is None) == (self.url is None):
            raise ValueError("needs exactly one of: command, url")
        if self.command is not None and self.credential is not None:
            raise ValueError("credential has no effect on a command, which gets no secret; remove it, or use url")
        return self


class AnswerSection(Section):
    """Settings for finding the answer in a response of an unknown API (docs/reference/answers.md)."""

    jsonpath: str = Field(min_length=1)  # such as $.output.text; in a stream: the part of the answer in each event
    done: str = ""  # a JSONPath to a true value in the event that ends a stream

    @field_validator("jsonpath", "done")
    @classmethod
    def _is_jsonpath(cls, value: str) -> str:
        from jsonpath import JSONPathError
        from jsonpath import compile as compile_path

        try:
            if value:
                compile_path(value)
        except JSONPathError as error:
            raise ValueError(f"is not a JSONPath: {error_text(error)}") from error
        return value


class ScoringSection(Section):
    """The weights of the comparison signals, and the settings of each task; see docs/reference/scoring.md."""

    weights: dict[str, Fraction] = Field(default_factory=dict)  # signal → weight; overrides the default weight
    flag_effect: Fraction = 0.5  # a signal with at least this effect becomes a flag
    flag_meaning: Fraction = 0.5  # a similarity of meaning below this sets the flag "meaning"
    calibration: str | None = None  # a file that `glidepath calibrate --labels` wrote; absent: the shipped weights
    floor_rate: Share = 0.05  # a fact that differs in at most this share of the noise pairs counts more
    answer: AnswerSection | None = None  # absent: the API is one that Glidepath knows
    classification: ClassificationSection = ClassificationSection()
    extraction: ExtractionSection = ExtractionSection()
    embeddings: EmbeddingsSection = EmbeddingsSection()
    rerank: RerankSection = RerankSection()
    evaluator: EvaluatorSection | None = None
    verifier: VerifierSection | None = None

    @field_validator("weights")
    @classmethod
    def _known(cls, value: dict[str, float]) -> dict[str, float]:
        if "evaluator" in value:
            raise ValueError(
                "evaluator is no longer a signal, because the evaluator does not change the agreement; remove it, and"
                " write gates.preference, such as preference: {margin: 5%}"
            )
        for name in value:
            if name not in DEFAULT_WEIGHTS:
                raise ValueError(f"unknown signal {name!r} {allowed_names(sorted(DEFAULT_WEIGHTS), name)}")
        return value

    def weight(self, signal: str) -> float:
        return self.weights.get(signal, DEFAULT_WEIGHTS[signal])
