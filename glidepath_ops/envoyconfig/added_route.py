"""The routes of a user's virtual host, and a route that is added to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from glidepath_ops.envoyconfig.commented_yaml import Json
from glidepath_ops.envoyconfig.header_rules import RoutedHeader
from glidepath_ops.envoyconfig.route_overlap import is_false

# Fields of a Route and of a VirtualHost. Values that the user sets are kept.
BUFFER_LIMITS = ("request_body_buffer_limit", "per_request_buffer_limit_bytes")


@dataclass(frozen=True, slots=True)
class UsersRoute:
    """A route of the user: its data, and its place FILE:LINE for error messages."""

    data: Json
    place: str


@dataclass(frozen=True, slots=True)
class UsersRoutes:
    """The routes of a user's virtual host in their order, with the virtual host and the route configuration."""

    routes: Sequence[UsersRoute]
    virtual_host: Json
    route_configuration: Json

    def levels(self, route: Json) -> list[Json]:
        """Return the parts whose header rules apply to ``route``, in the order in which Envoy applies them."""
        levels = [route, self.virtual_host, self.route_configuration]
        wins = self.route_configuration.get("most_specific_header_mutations_wins", False)
        return levels if is_false(wins) else levels[::-1]


@dataclass(frozen=True, slots=True)
class AddedRoute:
    """A route of Glidepath's, which is inserted before the user's route with the index ``before``.

    ``headers``: the effect of the user's header rules on headers that the candidate changes.
    ``for_copies``: the effect of the user's route on requests to the baseline (``part_for_copies``).
    ``continues``: whether the route is a copy of a route of the user.
    ``continued``: the index of this original, if it is not ``before``.
    ``splits``: whether the route has the workload's split. If not, it only helps to read requests.
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
        """The index of the user's route that this route copies, if it is a copy (``continues``)."""
        return self.before if self.continued is None else self.continued
