from __future__ import annotations

from pathlib import Path

from tests.integration.envoy.test_bodies_of_any_shape import AT_ONCE, FORM, FORMS, MIB, ONPREM, in_chunks
from tests.support.envoy_with_backends import envoy_with_backends


async def test_scratch(tmp_path: Path) -> None:
    chat, long, path = {**AT_ONCE, "match": {"path_prefix": "/"}}, FORM + b"x" * (2 * MIB), "/v1/audio/transcriptions"
    async with envoy_with_backends(tmp_path, onprem=ONPREM, chat=chat, envoy={"max_body": MIB}) as setup:
        async with setup.session.post(setup.envoy.live + path, data=long, headers=FORMS) as reply:
            print("LENGTH", reply.status, len(setup.onprem.received), [len(o.body) for o in setup.onprem.received], [len(o.body) for o in setup.cloud.received])
        setup.clear_received()
        async with setup.session.post(setup.envoy.live + path, data=in_chunks(long), headers=FORMS) as reply:
            print("CHUNKS", reply.status, [len(o.body) for o in setup.onprem.received], [len(o.body) for o in setup.cloud.received])
