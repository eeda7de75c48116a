"""An address a node listens at: the members' door, or its own people's. Who may come in is looked up as it is now."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from typing import Any

import trio

from parties.calls.https_server import Admit, HttpsServer, listening
from parties.errors import AddressTaken
from parties.keys.leaf import Leaf, contexts
from parties.setup.listening import Listening

__all__ = ["Door"]


class Door:
    """One application, served at one address under this member's certificate, until it is shut.

    Args:
        whom: it is for: "members", or "people".
        address: where to listen.
        field: of node.toml, that says so.
        app: ASGI.
        keys: public keys of whoever may come in.
        admit: see HttpsServer.
        leaf: this member's certificate.
        sock: listening already, in place of binding ``address``.
    """

    def __init__(
        self,
        whom: str,
        address: Listening,
        field: str,
        app: Any,
        keys: Callable[[], Iterable[bytes]],
        admit: Admit,
        leaf: Leaf,
        sock: socket.socket | None = None,
    ) -> None:
        self.whom = whom
        self.address = address
        self._field = field
        self._keys = keys
        self._leaf = leaf
        self._socket = sock
        self._server = HttpsServer(app, self._context(), admit)
        self._over = trio.Event()

    def _context(self) -> Any:
        return contexts(self._leaf.current, self._keys())[0]

    def renew(self) -> None:
        """Go by the keys and the certificate there are now; connections of whoever may not come in any more end."""
        self._server.exchange(self._context())

    async def open(self, nursery: trio.Nursery) -> None:
        """Listen, and serve as a task of ``nursery``. Raises AddressTaken."""
        listeners = await (self._bound() if self._socket is None else listening(self._socket))
        await nursery.start(self._serve, listeners)

    async def _bound(self) -> list[trio.SocketListener]:
        try:
            return list(await trio.open_tcp_listeners(self.address.port, host=self.address.interface, backlog=1024))
        except OSError as error:
            raise AddressTaken(
                f"the address for {self.whom}, {self.address}, cannot be listened at: {error.strerror or error}; end "
                f"what has it (this node may run already), or give another as `{self._field}` in node.toml"
            ) from None

    async def _serve(
        self,
        listeners: list[trio.SocketListener],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        try:
            await self._server.serve(listeners, task_status=task_status)
        finally:
            self._over.set()

    def shut(self) -> None:
        """Nobody comes in any more; requests under way are answered."""
        self._server.stop()

    async def until_shut(self) -> None:
        """Until the last of them was."""
        await self._over.wait()
