"""The events that are posted: orders of a web shop, each unique, about 295 bytes."""

import itertools
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import orjson


@dataclass(frozen=True, slots=True)
class Order:
    """One event: its id, which is also its delivery id, and its JSON."""

    order_id: str
    body: bytes


def batch_name(kind: str) -> str:
    """A prefix of order ids that no other batch has, 14 characters."""
    return f"{kind[:3]:-<3}-{secrets.token_hex(5)}"


def orders(batch: str) -> Iterator[Order]:
    """Orders without end. Half of the amounts are over 100, so that both branches are taken equally often."""
    for number in itertools.count():
        yield order(f"{batch}-{number:06d}", number)


def order(order_id: str, number: int) -> Order:
    """The order of this id; the number varies its content."""
    content = {
        "order_id": order_id,
        "amount": number * 37 % 200 + 1,
        "currency": "EUR",
        "customer": {
            "id": f"c-{number:06d}",
            "name": "Ada Lovelace",
            "email": f"a.lovelace.{number:06d}@shop.example.com",
            "country": "NL",
        },
        "items": [
            {"sku": "SKU-1001", "quantity": 2, "price": 35.5},
            {"sku": "SKU-2002", "quantity": 1, "price": 49.0},
        ],
        "source": "webshop",
    }
    return Order(order_id, orjson.dumps(content))
