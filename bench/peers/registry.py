"""Every engine that the bench knows, by the name it has on the command line."""

from collections.abc import Callable

from bench.peers.celery import Celery
from bench.peers.dbos import Dbos
from bench.peers.hopline import Hopline
from bench.peers.peer import Peer
from bench.peers.restate import Restate

PEERS: dict[str, Callable[[], Peer]] = {
    "hopline": Hopline,
    "restate": Restate,
    "dbos": Dbos,
    "celery": Celery,
}
