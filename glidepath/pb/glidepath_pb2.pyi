from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Side(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SIDE_UNSPECIFIED: _ClassVar[Side]
    SIDE_BASELINE: _ClassVar[Side]
    SIDE_CANDIDATE: _ClassVar[Side]

class Origin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORIGIN_UNSPECIFIED: _ClassVar[Origin]
    ORIGIN_LIVE: _ClassVar[Origin]
    ORIGIN_SHADOW: _ClassVar[Origin]
    ORIGIN_PROBE: _ClassVar[Origin]

class PairKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PAIR_KIND_UNSPECIFIED: _ClassVar[PairKind]
    PAIR_KIND_CROSS: _ClassVar[PairKind]
    PAIR_KIND_NOISE: _ClassVar[PairKind]

class Ending(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENDING_UNSPECIFIED: _ClassVar[Ending]
    ENDING_COMPLETE: _ClassVar[Ending]
    ENDING_ABORTED: _ClassVar[Ending]
    ENDING_TIMEOUT: _ClassVar[Ending]
    ENDING_REFUSED: _ClassVar[Ending]
    ENDING_LOCAL: _ClassVar[Ending]

class TokenSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TOKEN_SOURCE_UNSPECIFIED: _ClassVar[TokenSource]
    TOKEN_SOURCE_MEASURED: _ClassVar[TokenSource]
    TOKEN_SOURCE_COUNTED: _ClassVar[TokenSource]
    TOKEN_SOURCE_ESTIMATED: _ClassVar[TokenSource]

class ServiceTier(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SERVICE_TIER_UNSPECIFIED: _ClassVar[ServiceTier]
    SERVICE_TIER_STANDARD: _ClassVar[ServiceTier]
    SERVICE_TIER_BATCH: _ClassVar[ServiceTier]
    SERVICE_TIER_PRIORITY: _ClassVar[ServiceTier]

class AtFault(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AT_FAULT_UNSPECIFIED: _ClassVar[AtFault]
    AT_FAULT_CLIENT: _ClassVar[AtFault]
    AT_FAULT_ENVOY: _ClassVar[AtFault]
    AT_FAULT_NONE: _ClassVar[AtFault]

class Preference(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PREFERENCE_UNSPECIFIED: _ClassVar[Preference]
    PREFERENCE_WIN: _ClassVar[Preference]
    PREFERENCE_TIE: _ClassVar[Preference]
    PREFERENCE_LOSS: _ClassVar[Preference]
    PREFERENCE_INCONSISTENT: _ClassVar[Preference]
    PREFERENCE_FORFEIT: _ClassVar[Preference]
    PREFERENCE_WITHHELD: _ClassVar[Preference]
SIDE_UNSPECIFIED: Side
SIDE_BASELINE: Side
SIDE_CANDIDATE: Side
ORIGIN_UNSPECIFIED: Origin
ORIGIN_LIVE: Origin
ORIGIN_SHADOW: Origin
ORIGIN_PROBE: Origin
PAIR_KIND_UNSPECIFIED: PairKind
PAIR_KIND_CROSS: PairKind
PAIR_KIND_NOISE: PairKind
ENDING_UNSPECIFIED: Ending
ENDING_COMPLETE: Ending
ENDING_ABORTED: Ending
ENDING_TIMEOUT: Ending
ENDING_REFUSED: Ending
ENDING_LOCAL: Ending
TOKEN_SOURCE_UNSPECIFIED: TokenSource
TOKEN_SOURCE_MEASURED: TokenSource
TOKEN_SOURCE_COUNTED: TokenSource
TOKEN_SOURCE_ESTIMATED: TokenSource
SERVICE_TIER_UNSPECIFIED: ServiceTier
SERVICE_TIER_STANDARD: ServiceTier
SERVICE_TIER_BATCH: ServiceTier
SERVICE_TIER_PRIORITY: ServiceTier
AT_FAULT_UNSPECIFIED: AtFault
AT_FAULT_CLIENT: AtFault
AT_FAULT_ENVOY: AtFault
AT_FAULT_NONE: AtFault
PREFERENCE_UNSPECIFIED: Preference
PREFERENCE_WIN: Preference
PREFERENCE_TIE: Preference
PREFERENCE_LOSS: Preference
PREFERENCE_INCONSISTENT: Preference
PREFERENCE_FORFEIT: Preference
PREFERENCE_WITHHELD: Preference

class Answer(_message.Message):
    __slots__ = ("side", "origin", "backend", "status", "content_type", "body", "body_cut", "ending", "first_byte_ms", "total_ms", "error", "failed_over")
    SIDE_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    BODY_CUT_FIELD_NUMBER: _ClassVar[int]
    ENDING_FIELD_NUMBER: _ClassVar[int]
    FIRST_BYTE_MS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_MS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    FAILED_OVER_FIELD_NUMBER: _ClassVar[int]
    side: Side
    origin: Origin
    backend: str
    status: int
    content_type: str
    body: bytes
    body_cut: bool
    ending: Ending
    first_byte_ms: float
    total_ms: float
    error: str
    failed_over: bool
    def __init__(self, side: _Optional[_Union[Side, str]] = ..., origin: _Optional[_Union[Origin, str]] = ..., backend: _Optional[str] = ..., status: _Optional[int] = ..., content_type: _Optional[str] = ..., body: _Optional[bytes] = ..., body_cut: _Optional[bool] = ..., ending: _Optional[_Union[Ending, str]] = ..., first_byte_ms: _Optional[float] = ..., total_ms: _Optional[float] = ..., error: _Optional[str] = ..., failed_over: _Optional[bool] = ...) -> None: ...

class Pair(_message.Message):
    __slots__ = ("id", "workload", "kind", "captured_at_ms", "method", "path", "request_body", "request_cut", "first", "second", "sticky", "request_content_type", "served", "both_copied", "traceparent")
    ID_FIELD_NUMBER: _ClassVar[int]
    WORKLOAD_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CAPTURED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    REQUEST_BODY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_CUT_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    SECOND_FIELD_NUMBER: _ClassVar[int]
    STICKY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    SERVED_FIELD_NUMBER: _ClassVar[int]
    BOTH_COPIED_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    id: str
    workload: str
    kind: PairKind
    captured_at_ms: int
    method: str
    path: str
    request_body: bytes
    request_cut: bool
    first: Answer
    second: Answer
    sticky: str
    request_content_type: str
    served: str
    both_copied: bool
    traceparent: str
    def __init__(self, id: _Optional[str] = ..., workload: _Optional[str] = ..., kind: _Optional[_Union[PairKind, str]] = ..., captured_at_ms: _Optional[int] = ..., method: _Optional[str] = ..., path: _Optional[str] = ..., request_body: _Optional[bytes] = ..., request_cut: _Optional[bool] = ..., first: _Optional[_Union[Answer, _Mapping]] = ..., second: _Optional[_Union[Answer, _Mapping]] = ..., sticky: _Optional[str] = ..., request_content_type: _Optional[str] = ..., served: _Optional[str] = ..., both_copied: _Optional[bool] = ..., traceparent: _Optional[str] = ...) -> None: ...

class Histogram(_message.Message):
    __slots__ = ("scale", "index", "count", "zeros")
    SCALE_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    ZEROS_FIELD_NUMBER: _ClassVar[int]
    scale: int
    index: _containers.RepeatedScalarFieldContainer[int]
    count: _containers.RepeatedScalarFieldContainer[int]
    zeros: int
    def __init__(self, scale: _Optional[int] = ..., index: _Optional[_Iterable[int]] = ..., count: _Optional[_Iterable[int]] = ..., zeros: _Optional[int] = ...) -> None: ...

class SideOutcomes(_message.Message):
    __slots__ = ("side", "origin", "requests", "errors", "error_kinds", "client_aborts", "failovers", "latency_ms", "ttft_ms", "first_error_ms", "rescued", "rescues_failed", "duration_ms", "not_found", "served", "checked", "aborted_ms", "headers_ms", "usage", "sent_bytes", "refused", "baseline_copies", "baseline_copies_failed", "failed_at_both")
    class ErrorKindsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    SIDE_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    ERROR_KINDS_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ABORTS_FIELD_NUMBER: _ClassVar[int]
    FAILOVERS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_MS_FIELD_NUMBER: _ClassVar[int]
    TTFT_MS_FIELD_NUMBER: _ClassVar[int]
    FIRST_ERROR_MS_FIELD_NUMBER: _ClassVar[int]
    RESCUED_FIELD_NUMBER: _ClassVar[int]
    RESCUES_FAILED_FIELD_NUMBER: _ClassVar[int]
    DURATION_MS_FIELD_NUMBER: _ClassVar[int]
    NOT_FOUND_FIELD_NUMBER: _ClassVar[int]
    SERVED_FIELD_NUMBER: _ClassVar[int]
    CHECKED_FIELD_NUMBER: _ClassVar[int]
    ABORTED_MS_FIELD_NUMBER: _ClassVar[int]
    HEADERS_MS_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    SENT_BYTES_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    BASELINE_COPIES_FIELD_NUMBER: _ClassVar[int]
    BASELINE_COPIES_FAILED_FIELD_NUMBER: _ClassVar[int]
    FAILED_AT_BOTH_FIELD_NUMBER: _ClassVar[int]
    side: Side
    origin: Origin
    requests: int
    errors: int
    error_kinds: _containers.ScalarMap[str, int]
    client_aborts: int
    failovers: int
    latency_ms: Histogram
    ttft_ms: Histogram
    first_error_ms: int
    rescued: int
    rescues_failed: int
    duration_ms: Histogram
    not_found: int
    served: str
    checked: int
    aborted_ms: Histogram
    headers_ms: Histogram
    usage: _containers.RepeatedCompositeFieldContainer[TokenUsage]
    sent_bytes: int
    refused: int
    baseline_copies: int
    baseline_copies_failed: int
    failed_at_both: int
    def __init__(self, side: _Optional[_Union[Side, str]] = ..., origin: _Optional[_Union[Origin, str]] = ..., requests: _Optional[int] = ..., errors: _Optional[int] = ..., error_kinds: _Optional[_Mapping[str, int]] = ..., client_aborts: _Optional[int] = ..., failovers: _Optional[int] = ..., latency_ms: _Optional[_Union[Histogram, _Mapping]] = ..., ttft_ms: _Optional[_Union[Histogram, _Mapping]] = ..., first_error_ms: _Optional[int] = ..., rescued: _Optional[int] = ..., rescues_failed: _Optional[int] = ..., duration_ms: _Optional[_Union[Histogram, _Mapping]] = ..., not_found: _Optional[int] = ..., served: _Optional[str] = ..., checked: _Optional[int] = ..., aborted_ms: _Optional[_Union[Histogram, _Mapping]] = ..., headers_ms: _Optional[_Union[Histogram, _Mapping]] = ..., usage: _Optional[_Iterable[_Union[TokenUsage, _Mapping]]] = ..., sent_bytes: _Optional[int] = ..., refused: _Optional[int] = ..., baseline_copies: _Optional[int] = ..., baseline_copies_failed: _Optional[int] = ..., failed_at_both: _Optional[int] = ...) -> None: ...

class TokenUsage(_message.Message):
    __slots__ = ("input", "output", "cached_read", "cached_write", "cached_write_1h", "audio_input", "reasoning", "audio_output", "source", "tier", "answers")
    INPUT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    CACHED_READ_FIELD_NUMBER: _ClassVar[int]
    CACHED_WRITE_FIELD_NUMBER: _ClassVar[int]
    CACHED_WRITE_1H_FIELD_NUMBER: _ClassVar[int]
    AUDIO_INPUT_FIELD_NUMBER: _ClassVar[int]
    REASONING_FIELD_NUMBER: _ClassVar[int]
    AUDIO_OUTPUT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    input: int
    output: int
    cached_read: int
    cached_write: int
    cached_write_1h: int
    audio_input: int
    reasoning: int
    audio_output: int
    source: TokenSource
    tier: ServiceTier
    answers: int
    def __init__(self, input: _Optional[int] = ..., output: _Optional[int] = ..., cached_read: _Optional[int] = ..., cached_write: _Optional[int] = ..., cached_write_1h: _Optional[int] = ..., audio_input: _Optional[int] = ..., reasoning: _Optional[int] = ..., audio_output: _Optional[int] = ..., source: _Optional[_Union[TokenSource, str]] = ..., tier: _Optional[_Union[ServiceTier, str]] = ..., answers: _Optional[int] = ...) -> None: ...

class LocalReplies(_message.Message):
    __slots__ = ("side", "origin", "at_fault", "kinds")
    class KindsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    SIDE_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    AT_FAULT_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    side: Side
    origin: Origin
    at_fault: AtFault
    kinds: _containers.ScalarMap[str, int]
    def __init__(self, side: _Optional[_Union[Side, str]] = ..., origin: _Optional[_Union[Origin, str]] = ..., at_fault: _Optional[_Union[AtFault, str]] = ..., kinds: _Optional[_Mapping[str, int]] = ...) -> None: ...

class Outcomes(_message.Message):
    __slots__ = ("workload", "source", "seq", "from_ms", "to_ms", "sides", "coverage", "local_replies")
    class CoverageEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    WORKLOAD_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    FROM_MS_FIELD_NUMBER: _ClassVar[int]
    TO_MS_FIELD_NUMBER: _ClassVar[int]
    SIDES_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_FIELD_NUMBER: _ClassVar[int]
    LOCAL_REPLIES_FIELD_NUMBER: _ClassVar[int]
    workload: str
    source: str
    seq: int
    from_ms: int
    to_ms: int
    sides: _containers.RepeatedCompositeFieldContainer[SideOutcomes]
    coverage: _containers.ScalarMap[str, int]
    local_replies: _containers.RepeatedCompositeFieldContainer[LocalReplies]
    def __init__(self, workload: _Optional[str] = ..., source: _Optional[str] = ..., seq: _Optional[int] = ..., from_ms: _Optional[int] = ..., to_ms: _Optional[int] = ..., sides: _Optional[_Iterable[_Union[SideOutcomes, _Mapping]]] = ..., coverage: _Optional[_Mapping[str, int]] = ..., local_replies: _Optional[_Iterable[_Union[LocalReplies, _Mapping]]] = ...) -> None: ...

class ScoredPair(_message.Message):
    __slots__ = ("pair_id", "workload", "kind", "captured_at_ms", "scored_at_ms", "scored", "unscored_reason", "agreement", "flags", "signals", "baseline", "candidate", "sticky", "scorer", "labels", "served", "preference", "correctness", "unjudged", "unverified", "weights", "language", "both_copied", "traceparent")
    class SignalsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PAIR_ID_FIELD_NUMBER: _ClassVar[int]
    WORKLOAD_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CAPTURED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    SCORED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    SCORED_FIELD_NUMBER: _ClassVar[int]
    UNSCORED_REASON_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_FIELD_NUMBER: _ClassVar[int]
    BASELINE_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    STICKY_FIELD_NUMBER: _ClassVar[int]
    SCORER_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    SERVED_FIELD_NUMBER: _ClassVar[int]
    PREFERENCE_FIELD_NUMBER: _ClassVar[int]
    CORRECTNESS_FIELD_NUMBER: _ClassVar[int]
    UNJUDGED_FIELD_NUMBER: _ClassVar[int]
    UNVERIFIED_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    BOTH_COPIED_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    pair_id: str
    workload: str
    kind: PairKind
    captured_at_ms: int
    scored_at_ms: int
    scored: bool
    unscored_reason: str
    agreement: float
    flags: _containers.RepeatedScalarFieldContainer[str]
    signals: _containers.ScalarMap[str, float]
    baseline: AnswerFacts
    candidate: AnswerFacts
    sticky: str
    scorer: str
    labels: _containers.ScalarMap[str, str]
    served: str
    preference: Preference
    correctness: Correctness
    unjudged: str
    unverified: str
    weights: str
    language: str
    both_copied: bool
    traceparent: str
    def __init__(self, pair_id: _Optional[str] = ..., workload: _Optional[str] = ..., kind: _Optional[_Union[PairKind, str]] = ..., captured_at_ms: _Optional[int] = ..., scored_at_ms: _Optional[int] = ..., scored: _Optional[bool] = ..., unscored_reason: _Optional[str] = ..., agreement: _Optional[float] = ..., flags: _Optional[_Iterable[str]] = ..., signals: _Optional[_Mapping[str, float]] = ..., baseline: _Optional[_Union[AnswerFacts, _Mapping]] = ..., candidate: _Optional[_Union[AnswerFacts, _Mapping]] = ..., sticky: _Optional[str] = ..., scorer: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., served: _Optional[str] = ..., preference: _Optional[_Union[Preference, str]] = ..., correctness: _Optional[_Union[Correctness, _Mapping]] = ..., unjudged: _Optional[str] = ..., unverified: _Optional[str] = ..., weights: _Optional[str] = ..., language: _Optional[str] = ..., both_copied: _Optional[bool] = ..., traceparent: _Optional[str] = ...) -> None: ...

class Correctness(_message.Message):
    __slots__ = ("baseline", "candidate")
    BASELINE_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    baseline: float
    candidate: float
    def __init__(self, baseline: _Optional[float] = ..., candidate: _Optional[float] = ...) -> None: ...

class AnswerFacts(_message.Message):
    __slots__ = ("origin", "backend", "status", "first_byte_ms", "total_ms", "input_tokens", "output_tokens", "text_chars", "finish_reason", "failed_over", "excerpt", "faults", "ending", "streamed")
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    FIRST_BYTE_MS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_MS_FIELD_NUMBER: _ClassVar[int]
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TEXT_CHARS_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    FAILED_OVER_FIELD_NUMBER: _ClassVar[int]
    EXCERPT_FIELD_NUMBER: _ClassVar[int]
    FAULTS_FIELD_NUMBER: _ClassVar[int]
    ENDING_FIELD_NUMBER: _ClassVar[int]
    STREAMED_FIELD_NUMBER: _ClassVar[int]
    origin: Origin
    backend: str
    status: int
    first_byte_ms: float
    total_ms: float
    input_tokens: int
    output_tokens: int
    text_chars: int
    finish_reason: str
    failed_over: bool
    excerpt: str
    faults: _containers.RepeatedScalarFieldContainer[str]
    ending: Ending
    streamed: bool
    def __init__(self, origin: _Optional[_Union[Origin, str]] = ..., backend: _Optional[str] = ..., status: _Optional[int] = ..., first_byte_ms: _Optional[float] = ..., total_ms: _Optional[float] = ..., input_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ..., text_chars: _Optional[int] = ..., finish_reason: _Optional[str] = ..., failed_over: _Optional[bool] = ..., excerpt: _Optional[str] = ..., faults: _Optional[_Iterable[str]] = ..., ending: _Optional[_Union[Ending, str]] = ..., streamed: _Optional[bool] = ...) -> None: ...
