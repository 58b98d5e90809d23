"""Files: those of the world, by their URL; none that nodes make."""

from typing import Any

from graphon.file.models import File

_MEMBERS = ("type", "transfer_method", "remote_url", "filename", "extension", "mime_type", "size")


def with_files(value: Any) -> Any:
    """The value, its objects with Dify's mark made the files that they are."""
    if isinstance(value, list):
        return [with_files(one) for one in value]
    if isinstance(value, dict) and value.get("dify_model_identity"):
        return File(**{name: value[name] for name in _MEMBERS if name in value})
    return value


class RemoteFiles:
    """The runtime of files that have a URL, and only of those."""

    multimodal_send_format = "url"

    def resolve_file_url(self, *, file: File, for_external: bool = True) -> str | None:
        return file.remote_url

    def __getattr__(self, name: str) -> Any:
        raise NotImplementedError(f"{name}: only remote files are compared")


class NoFiles:
    """Stands where only files would need it."""

    def __getattr__(self, name: str) -> Any:
        raise NotImplementedError("files made by nodes are not compared")
