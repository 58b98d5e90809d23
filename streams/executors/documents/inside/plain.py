"""Formats that are text already: plain text, JSON, YAML, CSV, properties, WebVTT."""

import csv
import io
import json
import re

import yaml

from streams.executors.documents.inside.encodings import decode
from streams.executors.documents.inside.tables import pipe_table

_FIELD_CHARS = 1 << 24
_TIMING = re.compile(r"[\d:.]+\s+-->\s+[\d:.]+.*")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]*)>")
_TAG = re.compile(r"<[^>]*>")


def plain(content: bytes) -> str:
    """As it is."""
    return decode(content)


def from_json(content: bytes) -> str:
    """Indented by two. Raises `ValueError` for what is no JSON."""
    return json.dumps(json.loads(decode(content)), indent=2, ensure_ascii=False)


def from_yaml(content: bytes) -> str:
    """Every document of the stream, in block style. Raises `yaml.YAMLError`.

    Aliases stay aliases: a document that repeats itself a billion times is not written out.
    """
    documents = list(yaml.load_all(decode(content), yaml.CSafeLoader))
    text: str = yaml.dump_all(documents, Dumper=yaml.CSafeDumper, allow_unicode=True, sort_keys=False)
    return text


def from_csv(content: bytes) -> str:
    """A Markdown table."""
    return _table(content, ",")


def from_tsv(content: bytes) -> str:
    """Likewise, with tabs between the values."""
    return _table(content, "\t")


def from_properties(content: bytes) -> str:
    """Lines of `key: value`; comments stay."""
    return "\n".join(_property(line.strip()) for line in decode(content).splitlines())


def from_vtt(content: bytes) -> str:
    """Lines of `speaker "what was said"`; what one named speaker says in a row is one line."""
    merged: list[tuple[str, str]] = []
    for speaker, said in _captions(decode(content)):
        if merged and speaker and merged[-1][0] == speaker:
            merged[-1] = (speaker, f"{merged[-1][1]} {said}")
        else:
            merged.append((speaker, said))
    return "\n".join(f'{speaker} "{said}"' for speaker, said in merged)


def _table(content: bytes, delimiter: str) -> str:
    csv.field_size_limit(_FIELD_CHARS)
    return pipe_table(list(csv.reader(io.StringIO(decode(content)), delimiter=delimiter)))


def _property(line: str) -> str:
    if not line or line[0] in "#!":
        return line
    separator = "=" if "=" in line else ":"
    key, _, value = line.partition(separator)
    return f"{key.strip()}: {value.strip()}"


def _captions(text: str) -> list[tuple[str, str]]:
    """(speaker or "", text) of each cue: a block that has a line of timing in it."""
    found = []
    for block in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n")):
        lines = block.splitlines()
        timed = next((i for i, line in enumerate(lines) if _TIMING.fullmatch(line.strip())), None)
        if timed is None:
            continue
        said = "\n".join(lines[timed + 1 :])
        voice = _VOICE.search(said)
        found.append((voice[1].strip() if voice else "", _TAG.sub("", said).strip()))
    return found
