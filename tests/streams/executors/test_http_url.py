"""The first line of a request of an http-request node: what was written, as httpx sends it in Dify."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest

from streams.executors.http_errors import InvalidURLError
from streams.executors.http_prepare import PreparedRequest, prepare
from tests.streams.executors.receiver import Receiver, running_receiver


async def prepared(url: str, params: list[list[str]] | None = None) -> PreparedRequest:
    return await prepare({"method": "get", "url": url, "params": params}, "0193-exec", no_files)


async def no_files(file: Mapping[str, Any]) -> bytes:
    raise AssertionError(f"there is no {file}")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as receiver:
        yield receiver


async def sent(receiver: Receiver, written: str, params: list[list[str]] | None = None) -> str:
    request = await prepared(receiver.url(written), params)
    async with aiohttp.request("GET", request.url):
        return receiver.received[-1].target


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", "/"),
        ("?x=1", "/?x=1"),
        ("/?a=x%2Fy&sig=ab%2Bc%3D", "/?a=x%2Fy&sig=ab%2Bc%3D"),
        ("/?a=%2f%3A%40%21", "/?a=%2f%3A%40%21"),
        ("/?a=x+y z", "/?a=x+y%20z"),
        ("/?q=50%&r=%zz", "/?q=50%&r=%zz"),
        ("/?a[]={b}|\\^`'", "/?a[]={b}|\\^`'"),
        ('/?a="<b>#part', "/?a=%22%3Cb%3E"),
        ("/?a==b&&c&d=", "/?a==b&&c&d="),
        ("/\u4f60?x=\u4f60", "/%E4%BD%A0?x=%E4%BD%A0"),
        ("/%7Euser/%41/a%2Fb/%2e%2e/c%20d e", "/%7Euser/%41/a%2Fb/%2e%2e/c%20d%20e"),
        ("/a//b/.././c/..", "/a/"),
        ("/../..", "/"),
        ("/a\r\nHost: b", "/aHost:%20b"),
    ],
)
async def test_a_url_goes_out_as_it_is_written(receiver: Receiver, written: str, expected: str) -> None:
    assert await sent(receiver, written) == expected


async def test_parameters_are_encoded_as_those_of_a_form(receiver: Receiver) -> None:
    everything = " /+&=\xe9~:@!'()*,;$%[]{}|^`\"<>?#\\"
    expected = "+%2F%2B%26%3D%C3%A9~%3A%40%21%27%28%29%2A%2C%3B%24%25%5B%5D%7B%7D%7C%5E%60%22%3C%3E%3F%23%5C"
    assert await sent(receiver, "/p", [["a b", everything]]) == f"/p?a+b={expected}"
    assert await sent(receiver, "/p?x=1%2F2", [["c", "%2F"], ["c", ""]]) == "/p?x=1%2F2&c=%252F&c="


async def test_a_host_is_written_for_the_name_service() -> None:
    request = await prepared("http://ada:pa%2Fss@B\xfccher.example:81/a")
    assert str(request.url) == "http://ada:pa%2Fss@xn--bcher-kva.example:81/a"


@pytest.mark.parametrize("url", ["http://", "http:///a", "http://a\udc80/", "http://a/\udc80", "http://a:b/"])
async def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidURLError):
        await prepared(url)
