"""Checks on each mesh for a workload with a sticky header: an empty header counts as missing."""

from __future__ import annotations

from tests.mesh.mesh_under_test import Parts
from tests.mesh.traffic import Caller, backends, statuses

STICKY = {"sticky": {"header": "x-user-id"}, "shadow": {"sample": 0}}


async def check_sticky_values(among: Parts, user: Caller, nobody: Caller) -> None:
    """Check that each user stays on one side, and that requests with an empty header are split at random.

    ``user`` sends the header with the name of a user, ``nobody`` sends it empty.
    """
    await among.shares.set(50)
    seen = await nobody.ask(200)
    assert statuses(seen) == {200}
    assert 60 <= backends(seen)["onprem"] <= 140
    first = await user.ask(200)
    assert 60 <= backends(first)["onprem"] <= 140
    assert backends(await user.ask(200)) == backends(first), "each user stays on one side"
    assert {who for _ in range(20) for who in backends(await user.ask())} in ({"own"}, {"onprem"})
    for share, backend in ((100, "onprem"), (0, "own")):
        await among.shares.set(share)
        assert set(backends(await nobody.ask(20))) == {backend}
