"""Why an agent node fails, by Dify's names, besides what keeps its model or its tools from being asked.

AgentNodeError
├── AgentStrategyNotFoundError  a strategy of another plugin
├── AgentParameterError         no model, no query, no number where one is needed
├── AgentMaxIterationError      no answer after the last round
└── AgentInvocationError        it took too long
"""

from streams.executors.errors import NodeExecutorError


class AgentNodeError(NodeExecutorError):
    """The node fails with this text; the class name is its error type."""


class AgentStrategyNotFoundError(AgentNodeError):
    """A strategy that is not among ours."""


class AgentParameterError(AgentNodeError):
    """What the node is told is not enough, or not of its type."""


class AgentMaxIterationError(AgentNodeError):
    """The rounds are used up."""


class AgentInvocationError(AgentNodeError):
    """It did not come to its end."""
