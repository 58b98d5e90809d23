"""Mail messages as files (RFC 5322)."""

import email
import email.policy

from streams.executors.documents.inside.markup import html_text


def from_eml(content: bytes) -> str:
    """The body: its plain text where there is one, else the text of its HTML. Attachments are left out."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    body = message.get_body(("plain", "html"))
    if body is None:
        return ""
    text: str = body.get_content()
    return html_text(text) if body.get_content_subtype() == "html" else text.strip()
