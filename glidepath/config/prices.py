"""The prices of a backend, the contract with its provider, and the ``costs`` section."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field, model_validator

from glidepath.config.section import MOST, Section
from glidepath.config.units import Duration, Share

Amount = Annotated[float, Field(ge=0, le=MOST)]


class Price(Section):
    """The price of a million input tokens and the price of a million output tokens.

    All prices in the configuration must be in the same currency (``costs.currency``).
    """

    input: float = Field(ge=0)
    output: float = Field(ge=0)


class TokenPrices(Section):
    """The prices of a million tokens of each kind in another tier.

    For kinds without a price here, the rules of ``price`` apply.
    """

    input: Amount
    output: Amount
    cached_read: Amount | None = None
    cached_write: Amount | None = None
    cached_write_1h: Amount | None = None
    reasoning: Amount | None = None
    audio_input: Amount | None = None
    audio_output: Amount | None = None


class BackendPrice(Section):
    """The costs of a backend: prices of a million tokens, of GPUs by the hour, and fixed amounts, in any combination.

    Prices of tokens need ``input`` and ``output``; the prices of other kinds are optional. Without a price of its own,
    ``reasoning`` costs as much as ``output``, as providers charge it. Cached tokens without a price cost as much as
    ``input``. Audio tokens without a price are unpriced, and ``glidepath cost`` says so. Each of the ``gpus`` costs
    ``gpu_hour`` for every hour, used or not. ``utilisation`` is the share of their time that the workloads of this file
    use. The rest of their time serves other traffic, and is not charged here.
    """

    input: Amount | None = None  # price of a million input tokens without another price
    output: Amount | None = None
    cached_read: Amount | None = None  # price of a million tokens read from the provider's prompt cache
    cached_write: Amount | None = None  # price of a million tokens written to this cache for a few minutes
    cached_write_1h: Amount | None = None  # price of a million tokens written to this cache for an hour
    reasoning: Amount | None = None
    audio_input: Amount | None = None
    audio_output: Amount | None = None
    batch: TokenPrices | None = None  # prices for answers whose service_tier is batch or flex
    gpu_hour: Amount | None = None  # one GPU for an hour
    gpus: float | None = Field(default=None, gt=0, le=MOST)
    utilisation: Share = Field(default=1.0, gt=0, le=1)
    monthly: Amount | None = None  # fixed: licences, support, people, rack space
    egress: Amount | None = None  # a gigabyte (10^9 bytes) that is sent to the backend

    @model_validator(mode="after")
    def _whole(self) -> BackendPrice:
        if (self.input is None) != (self.output is None):
            missing = "output" if self.output is None else "input"
            raise ValueError(f"needs {missing} too: the price of a million {missing} tokens")
        if (self.gpu_hour is None) != (self.gpus is None):
            missing = "gpus, such as gpus: 4" if self.gpus is None else "gpu_hour, the price of one GPU for an hour"
            raise ValueError(f"needs {missing}")
        if "utilisation" in self.model_fields_set and self.gpus is None:
            raise ValueError("utilisation has no effect without gpu_hour and gpus")
        if self.input is None:
            self._needs_token_prices()
        if self.input is None and self.gpus is None and self.monthly is None and self.egress is None:
            raise ValueError("needs input and output, or gpu_hour and gpus, or monthly, or egress")
        return self

    def _needs_token_prices(self) -> None:
        kinds = (*(name for name in TokenPrices.model_fields if name not in ("input", "output")), "batch")
        for name in kinds:
            if getattr(self, name) is not None:
                raise ValueError(f"{name} has no effect without input and output")

    @property
    def by_token(self) -> bool:
        """Whether the backend has prices of tokens."""
        return self.input is not None


class Contract(Section):
    """The contract with the provider of a backend. The report counts the days until notice must be given.

    The contract is renewed on ``renewal`` unless notice is given at least ``notice`` before that day.
    """

    renewal: date  # such as 2027-03-31
    notice: Duration = Field(default=0, ge=0)  # such as 90d
    minimum: Amount | None = None  # minimum cost of a month, however little is used


class CostsSection(Section):
    """The currency of the prices, and the one-time cost of the migration. See docs/how-to/report.md."""

    currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$")
    migration: Amount = 0  # one-time cost of the migration, such as hardware and people; the payback includes it
