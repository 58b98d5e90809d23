"""Documents that are ZIP archives, opened with a bound on what they unpack to."""

import io
import zipfile

from streams.executors.documents.inside.errors import TextExtractionError

_MAX_FILES = 10_000


def open_archive(content: bytes, unpacked_bytes: int) -> zipfile.ZipFile:
    """Raises `TextExtractionError` for an archive that would unpack to more, `zipfile.BadZipFile` for none.

    The sizes of the directory are binding: reading a file stops there, and fails if there is more.
    """
    archive = zipfile.ZipFile(io.BytesIO(content))
    files = archive.infolist()
    size = sum(file.file_size for file in files)
    if size > unpacked_bytes:
        raise TextExtractionError(f"it unpacks to {size} bytes, the limit is {unpacked_bytes}")
    if len(files) > _MAX_FILES:
        raise TextExtractionError(f"it holds {len(files)} files, the limit is {_MAX_FILES}")
    return archive


def with_forward_slashes(archive: zipfile.ZipFile) -> bytes:
    """The archive again, for a parser that would not find `word\\document.xml`, as some tools name it."""
    again = io.BytesIO()
    with zipfile.ZipFile(again, "w") as target:
        for file in archive.infolist():
            target.writestr(file.filename.replace("\\", "/"), archive.read(file))
    return again.getvalue()
