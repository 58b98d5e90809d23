"""Why a node that asks a model fails, by Dify's names, besides what keeps the model from being asked.

NodeExecutorError
├── LLMNodeError            the reply is not what the node asked for
│   ├── NoPromptFoundError  there is nothing to say to the model
│   └── FileTypeNotSupportError
└── OutputParserError       the reply cannot be read
"""

from streams.executors.errors import NodeExecutorError


class LLMNodeError(NodeExecutorError):
    """Of an llm node."""


class NoPromptFoundError(LLMNodeError):
    """No message is left that has anything in it."""


class FileTypeNotSupportError(LLMNodeError):
    """A file that no model is sent."""


class OutputParserError(NodeExecutorError):
    """The reply of a model that was to choose."""
