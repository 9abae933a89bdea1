"""Writes the inventory's counts to Redis, and reads the key for fingerprints from Redis."""

from __future__ import annotations

import hashlib

from redis.exceptions import RedisError

from extproc.inventory_observer import InventoryObserver
from glidepath.config.inventory import InventorySection
from glidepath.errors import ConfigError, error_text_with_type
from glidepath.inventory.stored_periods import encoded, fingerprint_key, write_groups
from glidepath.logs import get_logger
from glidepath.redisio import RedisClient, read_secret

WRITE_EVERY_S = 5.0
_AT_ONCE = 20  # groups of a write: encoding them takes the event loop about two milliseconds
LEAST_KEY = 16  # bytes

_log = get_logger(__name__)


class InventoryWriter:
    """Writes the counts of one process. ``source``: a name that is unique to this start of this process."""

    def __init__(
        self, client: RedisClient, section: InventorySection, observer: InventoryObserver, source: str
    ) -> None:
        self._client, self._section, self._observer, self._source = client, section, observer, source
        self._failing = False
        if section.fingerprint_key is not None:
            key = read_secret(section.fingerprint_key).encode()
            if len(key) < LEAST_KEY:
                raise ConfigError(
                    f"inventory.fingerprint_key: the secret must have at least {LEAST_KEY} bytes (got {len(key)})"
                )
            observer.use_key(hashlib.blake2b(key, digest_size=32).digest())

    async def write(self, now_ms: int) -> None:
        """Write the changed counts. Counts that Redis does not accept are written the next time. Raises no error."""
        tallies = self._observer.tallies
        taken = tallies.take_changed()
        try:
            await self._read_key()
            while taken:
                groups, keys = taken[0]
                some = keys[:_AT_ONCE]
                fields = encoded(self._source, groups, some)
                await write_groups(self._client, groups.period, fields, self._section.keep, now_ms)
                taken[0] = (groups, keys[_AT_ONCE:])
                if not taken[0][1]:
                    taken.pop(0)
        except (RedisError, OSError) as error:
            self._observer.write_failures += 1
            if not self._failing:
                _log.warning("inventory_not_stored", reason=error_text_with_type(error), effect="it is written later")
            self._failing = True
        else:
            self._failing = False
            tallies.forget_closed(now_ms)
        finally:
            tallies.put_back(taken)

    async def _read_key(self) -> None:
        if self._observer.callers.key is None and self._observer.callers.fingerprint:
            self._observer.use_key(await fingerprint_key(self._client))
