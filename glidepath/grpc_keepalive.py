"""HTTP/2 keep-alive between Envoy and the gRPC servers of extproc and of the scorer.

Envoy pings each connection to find a frozen server. By default, a gRPC server treats frequent pings as abuse and closes
the connection with GOAWAY ``too_many_pings``, which also ends the calls in flight.
"""

from __future__ import annotations

PING_INTERVAL_S = 2  # the interval at which a rendered Envoy pings
PING_TIMEOUT_S = 2  # an Envoy without a reply to a ping for this long closes the connection

# Accept pings at any rate, even without a call. A user may lower the interval in the bootstrap, and an answer may send
# no bytes for a long time.
SERVER_OPTIONS = (
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_ping_strikes", 0),  # 0: no limit
)
