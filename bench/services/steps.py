"""The four steps of the job, the same code in every peer that is programmed in Python."""

from typing import Any

Json = dict[str, Any]

LIMIT = 100


def start(order: Json) -> Json:
    """The fields that later steps read."""
    return {
        "order_id": order["order_id"],
        "amount": order["amount"],
        "customer": order["customer"]["name"],
        "currency": order["currency"],
    }


def if_else(order: Json) -> str:
    """The branch that is taken."""
    return "high" if order["amount"] > LIMIT else "low"


def template(order: Json, branch: str) -> str:
    """One sentence on the order."""
    verdict = "goes to manual review" if branch == "high" else "is approved"
    amount = f"{order['amount']} {order['currency']}"
    return f"Order {order['order_id']} of {order['customer']}: {amount} {verdict}"


def end(order: Json, branch: str, text: str) -> Json:
    """What the run results in."""
    return {"order_id": order["order_id"], "branch": branch, "text": text}
