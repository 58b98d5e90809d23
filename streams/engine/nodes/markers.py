"""iteration-start, loop-start and loop-end: they mark places inside a container, and do nothing."""

from schemas.nodes.base import NodeData
from streams.engine.nodes.protocol import Outcome
from streams.engine.pool import Pool


class MarkerNode:
    """What reaching it means is up to the container."""

    def run(self, pool: Pool) -> Outcome:
        """See `PureNode.run`."""
        return Outcome({}, {})


def compile_marker(_: NodeData) -> MarkerNode:
    """They have no configuration."""
    return MarkerNode()
