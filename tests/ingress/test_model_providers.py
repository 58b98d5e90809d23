"""Model providers: what is stored, what is shown, and what is refused."""

from decimal import Decimal
from typing import Any

import pytest
from yarl import URL

from schemas.models import DEFAULT_TENANT, ModelProvider
from schemas.secrets import SecretBox
from tests.ingress.stand_ins import AUTHORIZED, SECRET_KEY, Client, StandIns

PATH = "/api/v1/model-providers"
OPENAI = {
    "name": "langgenius/openai/openai",
    "base_url": "https://api.openai.com/v1",
    "credentials": {"api_key": "sk-1"},
    "models": {"gpt-4o-mini": {"context_size": 128000, "pricing": {"input": "0.15", "output": 0.6}}},
}


async def send(client: Client, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    async with client.request(method, PATH + path, json=body, headers=AUTHORIZED) as answer:
        return answer.status, await answer.json() if answer.status != 204 else None


def stored(stand_ins: StandIns) -> ModelProvider:
    found = stand_ins.configured.definitions.provider(ModelProvider, DEFAULT_TENANT, OPENAI["name"])
    assert found is not None
    return found


async def test_the_key_is_encrypted_and_never_shown(client: Client, stand_ins: StandIns) -> None:
    status, created = await send(client, "POST", "", OPENAI)
    assert (status, created["credentials"]) == (201, {"api_key": "********"})
    assert (created["max_retries"], created["stream"], created["default"]) == (3, True, False)
    model = created["models"]["gpt-4o-mini"]
    assert (model["context_size"], model["structured_output"]) == (128000, "json_schema")
    assert model["pricing"] == {"input": "0.15", "output": "0.6", "unit": "0.000001", "currency": "USD"}
    pricing = stored(stand_ins).settings_of("gpt-4o-mini").pricing
    assert pricing is not None
    assert pricing.input == Decimal("0.15")
    sealed = stored(stand_ins).credentials["api_key"]
    assert SecretBox(SECRET_KEY.encode()).decrypt(DEFAULT_TENANT, sealed) == "sk-1"
    assert await send(client, "GET", "/langgenius%2Fopenai%2Fopenai") == (200, created)
    assert await send(client, "GET", "") == (200, {"data": [created]})


@pytest.mark.parametrize("name", ["a/b", "caf\u00e9 \u2615", "a\r\nb"])
async def test_whatever_its_name_it_is_where_the_answer_says(client: Client, name: str) -> None:
    async with client.post(PATH, json={**OPENAI, "name": name}, headers=AUTHORIZED) as answer:
        assert answer.status == 201
        place = URL(answer.headers["Location"], encoded=True)
    async with client.get(place, headers=AUTHORIZED) as shown:
        assert (await shown.json())["name"] == name


async def test_a_masked_key_stays_as_it_is(client: Client, stand_ins: StandIns) -> None:
    await send(client, "POST", "", OPENAI)
    before = stored(stand_ins).credentials
    changed = {**OPENAI, "credentials": {"api_key": "********"}, "read_timeout_s": 7}
    status, _ = await send(client, "PUT", "/langgenius%2Fopenai%2Fopenai", changed)
    assert status == 200
    assert stored(stand_ins).credentials == before
    assert stored(stand_ins).read_timeout_s == 7


async def test_a_stored_key_goes_to_no_other_endpoint(client: Client, stand_ins: StandIns) -> None:
    await send(client, "POST", "", OPENAI)
    moved = {**OPENAI, "credentials": {"api_key": "********"}, "base_url": "https://other.test/v1"}
    status, problem = await send(client, "PUT", "/langgenius%2Fopenai%2Fopenai", moved)
    assert (status, problem["errors"][0]["field"]) == (422, "credentials.api_key")
    assert stored(stand_ins).base_url == OPENAI["base_url"]
    for credentials in ({"api_key": "sk-2"}, {}):
        moved["credentials"] = credentials
        assert (await send(client, "PUT", "/langgenius%2Fopenai%2Fopenai", moved))[0] == 200


async def test_it_can_be_deleted(client: Client) -> None:
    await send(client, "POST", "", OPENAI)
    assert (await send(client, "POST", "", OPENAI))[0] == 409
    assert (await send(client, "DELETE", "/langgenius%2Fopenai%2Fopenai"))[0] == 204
    assert (await send(client, "GET", "/langgenius%2Fopenai%2Fopenai"))[0] == 404


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"base_url": "ftp://x"}, "must be like https://api.example.com/v1"),
        ({"base_url": "https://me:pw@x/v1"}, "must not contain credentials"),
        ({"credentials": {"token": "x"}}, "unknown credentials token: there is only api_key"),
        ({"models": {"m": {"contextsize": 1}}}, "Extra inputs"),
        ({"models": {"m": {"pricing": {"input": -1, "output": 1}}}}, "greater than or equal to 0"),
        ({"models": {"m": {"pricing": {"input": "1e5000000", "output": 1}}}}, "equal to 1000000000"),
        ({"models": {"m": {"pricing": {"input": "1e-5000000", "output": 1}}}}, "20 decimal places"),
        ({"models": {"m": {"pricing": {"input": 1, "output": 1, "unit": "1e-99"}}}}, "more than 20 decimal"),
        ({"models": {"m": {"pricing": {"input": 1, "output": 1, "unit": 2}}}}, "less than or equal to 1"),
        ({"apikey": "x"}, "Extra inputs"),
        ({"max_retries": 100}, "less than or equal to 10"),
    ],
)
async def test_what_does_not_fit_is_refused(client: Client, change: Any, said: str) -> None:
    status, problem = await send(client, "POST", "", {**OPENAI, **change})
    assert status == 422
    assert said in problem["errors"][0]["why"]
