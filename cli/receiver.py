"""The HTTP receiver that the samples post to, so that their effect can be seen."""

from typing import Any

from aiohttp import web

_KEPT = 100


class Receiver:
    """Takes a POST of any path on 127.0.0.1 and keeps the last hundred JSON bodies."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self._runner: web.AppRunner | None = None

    async def start(self, port: int) -> str:
        """Listens on `port`, or on a free one where that is taken; returns the URL to post to."""
        app = web.Application()
        app.router.add_post("/{path:.*}", self._take)
        app.router.add_get("/{path:.*}", self._show)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, "127.0.0.1", port).start()
        except OSError:
            await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/messages"

    async def stop(self) -> None:
        """Closes the port."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        self.received = [*self.received, await request.json()][-_KEPT:]
        return web.json_response({"ok": True})

    async def _show(self, _: web.Request) -> web.Response:
        return web.json_response(self.received)
