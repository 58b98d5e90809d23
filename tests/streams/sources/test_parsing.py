"""Messages as they are sent, and as they should not be."""

from email.message import EmailMessage
from email.policy import EmailPolicy
from typing import Any

import pytest

from streams.sources.email.html import html_text
from streams.sources.email.parsing import parse_mail


def test_text_html_and_files_are_told_apart() -> None:
    message = EmailMessage()
    message["From"] = "=?utf-8?q?J=C3=BCrgen?= <j@example.org>"
    message["To"] = "a@example.com, Team: b@example.com, c@example.com;"
    message["Subject"], message["Date"] = "Grüße", "Sat, 21 Nov 2026 10:00:00 +0100"
    message["References"] = "<1@x> <2@x>"
    message.set_content("plain")
    message.add_alternative('<p>rich <img src="cid:logo"></p>', subtype="html")
    message.add_attachment("1;2", subtype="csv", filename="täble.csv")
    forwarded = EmailMessage()
    forwarded["Subject"] = "inner"
    forwarded.set_content("inner text")
    message.add_attachment(forwarded)
    mail = parse_mail(message.as_bytes())
    body = mail.body
    assert body["from"] == {"name": "Jürgen", "address": "j@example.org"}
    assert [one["address"] for one in body["to"]] == ["a@example.com", "b@example.com", "c@example.com"]
    assert (body["subject"], body["date"]) == ("Grüße", "2026-11-21T10:00:00+01:00")
    assert (body["text"], body["references"]) == ("plain\n", ["<1@x>", "<2@x>"])
    assert body["html"].startswith("<p>rich")
    table, inner = mail.attachments
    assert (table.filename, table.mime_type, table.content) == ("täble.csv", "text/csv", b"1;2\n")
    assert inner.mime_type == "message/rfc822"
    assert b"inner text" in inner.content


def test_html_alone_has_a_text() -> None:
    message = EmailMessage()
    message.set_content(
        "<html><head><title>t</title><style>p {}</style></head><body><h1>Order</h1>"
        "<p>2 &amp; tea<br>1 cake</p><script>x()</script></body></html>",
        subtype="html",
    )
    assert parse_mail(message.as_bytes()).body["text"] == "Order\n\n2 & tea\n1 cake"


def test_markup_that_is_broken_has_a_text_too() -> None:
    assert html_text("<p>a<b>b<p>c &bogus; <!-- d <![if x").startswith("ab\n")


def test_a_declaration_of_no_known_kind_hides_nothing() -> None:
    message = EmailMessage()
    message.set_content("<![foo]><p>Order 7</p><![ ]>", subtype="html")
    assert parse_mail(message.as_bytes()).body["text"] == "Order 7"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("1 < 2 <3 <", "1 < 2 <3 <"),
        ("a<a title='x>y' href=\"<p>\">b</a>", "ab"),
        ("<!-->a<!--->b<!-- <p> -- > -->c", "abc"),
        ("<!--[if mso]>a<![endif]--><![if !mso]>b<![endif]>", "b"),
        ("<head><title>1 < 2</title><body>no end of the head", "no end of the head"),
        ("<SCRIPT>a</b></ScRipt >b<script src=x/>c<style>d", "bc"),
        ("a<br/>b<BR>c", "a\nb\nc"),
        ("a<p title='", "a"),
        ("&#" + "9" * 5000 + ";", "&#" + "9" * 5000 + ";"),
    ],
)
def test_markup_as_a_reader_sees_it(markup: str, text: str) -> None:
    assert html_text(markup) == text


@pytest.mark.parametrize(
    "unit", ["<!--", "</", "<a ", "<a b=", "<a '", "<![CDATA[", "<script>", "<title>x</"]
)
def test_markup_without_ends_takes_no_square_of_its_length(unit: str) -> None:
    assert len(html_text("seen" + unit * 200_000)) < 1_000_000


@pytest.mark.parametrize("unit", [b",", b'"a" ', b"a.", b"a:;", b"ann@example.org, "])
def test_headers_of_any_length_are_read(unit: bytes) -> None:
    headers = b"".join(name + b": " + unit * 50_000 + b"\r\n" for name in (b"From", b"To", b"Cc"))
    params = b"Content-Type: text/plain; " + b"a=b; " * 100_000 + b"\r\n"
    body = parse_mail(headers + params + b"Subject: x\r\n\r\nHello").body
    assert (body["subject"], body["text"]) == ("x", "Hello")


def test_parameters_of_many_parts_are_read_once_and_as_far_as_that_is_cheap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parsed: list[int] = []
    parse = EmailPolicy.header_fetch_parse

    def counted(policy: EmailPolicy, name: str, value: str) -> Any:
        parsed.append(len(value) if name.lower().startswith("content-") else 0)
        return parse(policy, name, value)

    monkeypatch.setattr(EmailPolicy, "header_fetch_parse", counted)
    part = "--x\r\nContent-Type: application/x; n={}; {}\r\n\r\nhi\r\n"
    parts = "".join(part.format(number, "a=b; " * 190) for number in range(1000))
    head = "Content-Type: multipart/mixed; boundary=x\r\n\r\n"
    mail = parse_mail(f"{head}{parts}--x--\r\n".encode())
    assert [one.content for one in mail.attachments] == [b"hi"] * 100
    assert sum(parsed) < 250_000


def test_many_people_have_their_names_decoded() -> None:
    people = ", ".join(f"=?utf-8?q?J=C3=BCrgen?= <j{number}@example.org>" for number in range(500))
    found = parse_mail(f"To: {people}\r\n\r\n".encode()).body["to"]
    assert found == [{"name": "Jürgen", "address": f"j{number}@example.org"} for number in range(500)]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"From: <<<@@\r\nTo: ,,,;\r\nDate: yesterday\r\n\r\nx",
        b"Subject: =?utf-8?b?!!!?= \xff\xfe\r\n\r\n\x00\xff",
        b"Content-Type: text/plain; charset=klingon\r\n\r\n\xe4",
        b'Content-Type: text/plain; charset="\x00"\r\n\r\nx',
        b"Content-Type: text/plain; charset=unicode-escape\r\n\r\n\\ud800",
        b"Content-Type: text/plain; charset=utf-7\r\n\r\n+2AA-",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/pl",
        b"Content-Type: multipart/mixed\r\n\r\nno boundary",
        b"Content-Type: message/rfc822\r\n\r\n",
        b"Content-Transfer-Encoding: base64\r\n\r\n!!!!",
        b"Content-Disposition: attachment; filename*=utf-8''%ff%fe\r\n\r\nx",
        b"Content-Disposition: attachment; filename*=utf-7''+%ff\r\n\r\nx",
        b"Content-Type: text/plain; name*=undefined''x\r\n\r\nx",
        b"Content-Type: text/plain; name*=\x00''x\r\n\r\nx",
        b"Content-Type: text/plain; name*1*\r\n\r\nx",
        b"Content-Disposition: attachment; filename*0*=utf-8''a; filename*1*\r\n\r\nx",
        b"Message-ID: \r\nFrom: \r\n\r\n",
        b"From: a\xcc\x81 <\xf0\x9f@x.org>\r\n\r\n",
    ],
)
def test_no_message_is_unreadable(content: bytes) -> None:
    body = parse_mail(content).body
    assert isinstance(body["text"], str)
    for text in (body["text"], body["subject"], body["from"]["name"], body["from"]["address"]):
        text.encode()
