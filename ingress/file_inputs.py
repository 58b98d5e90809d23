"""Files among the inputs of a run: a caller names one by the id of its upload, nodes know all about it."""

from typing import Any

from aiohttp import web

from ingress.auth import CALLER
from ingress.errors import Unprocessable
from ingress.keys import FILES
from schemas.files import CUSTOM
from transport.errors import ObjectMissing

_STORED = ("local_file", "tool_file")


async def complete_files(request: web.Request, inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs with every stored file of the caller's tenant as it is stored, links signed now.

    Raises `Unprocessable` for a file that is not there.
    """
    completed = {}
    for name, value in inputs.items():
        if isinstance(value, list):
            completed[name] = [await _completed(request, name, item) for item in value]
        else:
            completed[name] = await _completed(request, name, value)
    return completed


async def _completed(request: web.Request, name: str, value: Any) -> Any:
    if not isinstance(value, dict) or value.get("transfer_method") not in _STORED:
        return value
    file_id = value.get("upload_file_id") or value.get("tool_file_id") or value.get("related_id")
    files = request.app[FILES]
    try:
        stored = await files.find(request[CALLER].tenant_id, str(file_id or ""))
    except ObjectMissing as missing:
        row = {"node": None, "field": f"inputs.{name}", "why": str(missing)}
        raise Unprocessable(f"{missing}; POST /api/v1/files stores one", errors=[row]) from missing
    origin = f"{request.scheme}://{request.host}"
    completed = files.value(stored, str(value["transfer_method"]), origin)
    # As in Dify, a caller may have any file taken as one of type custom.
    return {**completed, "type": CUSTOM} if value.get("type") == CUSTOM else completed
