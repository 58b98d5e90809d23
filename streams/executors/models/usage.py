"""What asking a model took: tokens, money, time."""

from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from schemas.models.model_provider import Pricing

_ZERO = Decimal("0.0")
_SMALLEST = Decimal("0.0000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The fields of Dify's `LLMUsage`. Tokens are zero where the endpoint does not count them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_unit_price: Decimal = _ZERO
    prompt_price_unit: Decimal = _ZERO
    prompt_price: Decimal = _ZERO
    completion_unit_price: Decimal = _ZERO
    completion_price_unit: Decimal = _ZERO
    completion_price: Decimal = _ZERO
    total_price: Decimal = _ZERO
    currency: str = "USD"
    latency: float = 0.0
    """Seconds from the request to the end of the reply, retries included."""
    time_to_first_token: float | None = None
    time_to_generate: float | None = None
    """From the first token to the last."""

    def __add__(self, other: "Usage") -> "Usage":
        """Of two requests; unit prices and currency are those of the later one."""
        if self.total_tokens == 0 and self.latency == 0:
            return other
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            total_tokens=self.total_tokens + other.total_tokens,
            prompt_unit_price=other.prompt_unit_price,
            prompt_price_unit=other.prompt_price_unit,
            prompt_price=self.prompt_price + other.prompt_price,
            completion_unit_price=other.completion_unit_price,
            completion_price_unit=other.completion_price_unit,
            completion_price=self.completion_price + other.completion_price,
            total_price=self.total_price + other.total_price,
            currency=other.currency,
            latency=self.latency + other.latency,
            time_to_first_token=other.time_to_first_token,
            time_to_generate=other.time_to_generate,
        )

    def as_json(self) -> dict[str, Any]:
        """As outputs show it: prices are texts, as in Dify, so that no digit is lost."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "prompt_unit_price": format(self.prompt_unit_price, "f"),
            "prompt_price_unit": format(self.prompt_price_unit, "f"),
            "prompt_price": format(self.prompt_price, "f"),
            "completion_tokens": self.completion_tokens,
            "completion_unit_price": format(self.completion_unit_price, "f"),
            "completion_price_unit": format(self.completion_price_unit, "f"),
            "completion_price": format(self.completion_price, "f"),
            "total_tokens": self.total_tokens,
            "total_price": format(self.total_price, "f"),
            "currency": self.currency,
            "latency": round(self.latency, 3),
            "time_to_first_token": _rounded(self.time_to_first_token),
            "time_to_generate": _rounded(self.time_to_generate),
        }

    def metadata(self) -> dict[str, Any]:
        """The `execution_metadata` of the node. Source: seed 001, Execution Metadata Structure."""
        return {
            "total_tokens": self.total_tokens,
            "total_price": float(self.total_price),
            "currency": self.currency,
            "provider_response_latency": round(self.latency, 3),
        }


NOTHING: Final = Usage()


def priced(counted: Usage, pricing: Pricing | None) -> Usage:
    """With what the tokens cost, each price rounded half up to seven decimals as in Dify.

    Without `pricing` all is free, in USD.
    """
    if pricing is None:
        return counted
    prompt_price = _price(counted.prompt_tokens, pricing.input, pricing.unit)
    completion_price = _price(counted.completion_tokens, pricing.output, pricing.unit)
    return replace(
        counted,
        prompt_unit_price=pricing.input,
        prompt_price_unit=pricing.unit,
        prompt_price=prompt_price,
        completion_unit_price=pricing.output,
        completion_price_unit=pricing.unit,
        completion_price=completion_price,
        total_price=prompt_price + completion_price,
        currency=pricing.currency,
    )


def _price(tokens: int, unit_price: Decimal, unit: Decimal) -> Decimal:
    return (tokens * unit_price * unit).quantize(_SMALLEST, rounding=ROUND_HALF_UP)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
