"""document-extractor and variables with files: texts of files that the world serves."""

from base64 import b64encode
from urllib.parse import urlencode

from tests.differential.job import Job
from tests.graphs import Json, end, field, graph, node, start, template

BASE = "{base}"
"""Stands for the URL of the world until it is known; see `Hopline.placed`."""


def _file(content: bytes, extension: str, mime_type: str) -> Json:
    query = urlencode({"base64": b64encode(content).decode(), "type": mime_type or "application/x-none"})
    return {
        "dify_model_identity": "__dify__file__", "type": "document", "transfer_method": "remote_url",
        "remote_url": f"{BASE}/file?{query}", "url": f"{BASE}/file?{query}", "filename": f"f{extension}",
        "extension": extension, "mime_type": mime_type, "size": len(content),
    }  # fmt: skip


def _job(*files: Json, single: bool = False, **data: str) -> Job:
    kind = field("f", "file" if single else "file-list", allowed_file_types=["document"], max_length=9)
    nodes = [
        start(kind),
        node("n", "document-extractor", variable_selector=["start", "f"], is_array_file=not single, **data),
        template("t", "{{ x }}", x=["n", "text"]),
        end(x=["n", "text"], t=["t", "output"], name=["start", "f", "name"], size=["start", "f", "size"]),
    ]
    edges = (("start", "n"), ("n", "t"), ("t", "end"))
    return Job(graph(nodes, *edges), {"f": files[0] if single else list(files)})


_TEXT = _file("Grüße,\nall".encode(), ".txt", "text/plain")
_FILES: dict[str, Json] = {
    "text": _TEXT,
    "markdown": _file(b"# Title\n\n* a", ".md", "text/markdown"),
    "HTML": _file(b"<p>a <b>b</b></p>", ".html", "text/html"),
    "JSON": _file(b'{"b": [1, 2], "a": "\\u00fc"}', ".json", "application/json"),
    "JSON that is none": _file(b"{", ".json", "application/json"),
    "YAML": _file(b"a: 1\nb: [x, y]\n", ".yaml", "application/x-yaml"),
    "XML": _file(b"<a><b>c</b></a>", ".xml", "text/xml"),
    "subtitles": _file(b"WEBVTT\n\n00:01.000 --> 00:02.000\n<v Ann>Hi\n", ".vtt", "text/vtt"),
    "a script": _file(b"print(1)\n", ".py", "text/x-python"),
    "properties": _file(b"a=1\n# no\nb : 2\n", ".properties", "text/properties"),
    "an unknown type": _file(b"??", ".xyz", "application/x-none"),
    "another encoding": _file("Grüße an alle, die hier lesen".encode("latin-1"), ".txt", "text/plain"),
    "an empty file": _file(b"", ".txt", "text/plain"),
    "CSV": _file(b"a,b\n1,x\n2,\n", ".csv", "text/csv"),
}

CASES: dict[str, Job] = {
    **{f"{name}, alone": _job(file, single=True) for name, file in _FILES.items()},
    "several": _job(_TEXT, _FILES["JSON"]),
    "one of several fails": _job(_TEXT, _FILES["an unknown type"]),
}

UNKNOWN_TYPE = _job(_FILES["an unknown type"], error_strategy="fail-branch")
