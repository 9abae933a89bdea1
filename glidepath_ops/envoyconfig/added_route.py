"""The routes of a user's virtual host, and a route that is added to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from glidepath_ops.envoyconfig.commented_yaml import Json
from glidepath_ops.envoyconfig.header_rules import RoutedHeader
from glidepath_ops.envoyconfig.route_overlap import is_false

# Of a Route and of a VirtualHost. A value of the user's own stays.
BUFFER_LIMITS = ("request_body_buffer_limit", "per_request_buffer_limit_bytes")


@dataclass(frozen=True, slots=True)
class UsersRoute:
    """A route of the user's: its data, and the place FILE:LINE that errors name."""

    data: Json
    place: str


@dataclass(frozen=True, slots=True)
class UsersRoutes:
    """The routes of a user's virtual host in their order, and the data of what holds them."""

    routes: Sequence[UsersRoute]
    virtual_host: Json
    route_configuration: Json

    def levels(self, route: Json) -> list[Json]:
        """Return the parts whose header rules hold for ``route``, in the order in which Envoy applies them."""
        levels = [route, self.virtual_host, self.route_configuration]
        wins = self.route_configuration.get("most_specific_header_mutations_wins", False)
        return levels if is_false(wins) else levels[::-1]


@dataclass(frozen=True, slots=True)
class AddedRoute:
    """A route of ours, to be inserted before the user's route with the index ``before``.

    ``continued``: the index of the user's route of which it is a copy, if that is not ``before``. ``splits``: whether
    it carries the split of the workload; if not, it only helps to read requests. ``headers``: what the
    header rules of the route that it continues make of headers that the candidate changes.
    ``for_copies``: what that route does with requests to the baseline (``part_for_copies``).
    """

    before: int
    workload: str
    route: Json
    headers: Mapping[str, RoutedHeader] = field(default_factory=dict)
    for_copies: Json = field(default_factory=dict)
    continues: bool = True
    continued: int | None = None
    splits: bool = True

    @property
    def original(self) -> int:
        """The index of the user's route of which this one is a copy, if it is one (``continues``)."""
        return self.before if self.continued is None else self.continued
