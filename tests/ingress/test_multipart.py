"""What is in a form, and that nothing but a form is taken for one."""

import asyncio
from contextlib import suppress

import pytest
from aiohttp import FormData
from hypothesis import given
from hypothesis import strategies as st

from ingress.multipart import Part, parts_of

_HEAD = b'--B\r\nContent-Disposition: form-data; name="a"\r\n'


def part(content: bytes, *headers: bytes) -> bytes:
    return _HEAD + b"".join(one + b"\r\n" for one in headers) + b"\r\n" + content + b"\r\n"


def read(raw: bytes, most: int = 10) -> list[Part]:
    return list(parts_of(raw, "B", most))


NAMES = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "S")) | st.sampled_from(".;=-' "), min_size=1
)


@given(st.lists(st.tuples(NAMES, st.none() | NAMES, st.binary(max_size=300)), min_size=1, max_size=5))
def test_what_is_written_is_read(sent: list[tuple[str, str | None, bytes]]) -> None:
    form = FormData(quote_fields=False)
    for name, filename, content in sent:
        form.add_field(name, content, filename=filename or name, content_type="image/png")

    async def written() -> tuple[str, bytes]:
        writer = form()
        boundary = writer.headers["Content-Type"].partition("boundary=")[2]
        return boundary, await writer.as_bytes()

    boundary, raw = asyncio.run(written())
    expected = [Part(name, filename or name, "image/png", content) for name, filename, content in sent]
    assert list(parts_of(b"preamble\r\n" + raw + b"\r\nepilogue", boundary, 5)) == expected


@pytest.mark.parametrize(
    ("encoding", "sent"), [(b"base64", b"/w0K"), (b"Quoted-Printable", b"=FF=0D=0A"), (b"8bit", b"\xff\r\n")]
)
def test_it_may_be_encoded(encoding: bytes, sent: bytes) -> None:
    raw = part(sent, b"Content-Transfer-Encoding: " + encoding) + b"--B--"
    assert read(raw) == [Part("a", None, None, b"\xff\r\n")]


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "last boundary"),
        (b"no form", "last boundary"),
        (part(b"x"), "last boundary"),
        (b"--B\r\n\r\nx\r\n--B--\r\n", "needs a name"),
        (b"--Bx\r\n\r\nx\r\n--B--", "follows a boundary"),
        (b"--B\r\nx\r\n--B--", "headers of a part end"),
        (part(b"x", b"X: " + b"v" * 9000) + b"--B--", "headers of a part end"),
        (part(b"x").replace(b'"a"', b'"a"' + b";" * 32) + b"--B--", "at most 32 parameters"),
        (part(b"x", b"no colon") + b"--B--", "no header"),
        (part(b"x", b"Content-Transfer-Encoding: uuencode") + b"--B--", "Content-Transfer-Encoding"),
        (part(b"x", b"Content-Transfer-Encoding: base64") + b"--B--", "base64"),
        (part(b"") * 11 + b"--B--", "more than 10 parts"),
    ],
)
def test_what_is_none_is_refused(raw: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read(raw)


def test_it_may_be_nothing_but_headers() -> None:
    assert read(_HEAD + b"\r\n--B--") == [Part("a", None, None, b"")]


def test_as_many_as_may_be_are_read() -> None:
    assert len(read(part(b"") * 10 + b"--B--")) == 10


def test_it_needs_a_boundary() -> None:
    with pytest.raises(ValueError, match="boundary"):
        list(parts_of(b"----", "", 10))


PIECES = [
    b"--B",
    b"--",
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b":",
    b";",
    b"=",
    b'"',
    b"\xff",
    b"x",
    _HEAD,
    part(b"x"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join))
def test_it_is_a_form_or_is_refused(raw: bytes) -> None:
    with suppress(ValueError):
        read(raw)
