"""Why a knowledge-retrieval node fails.

NodeExecutorError
└── KnowledgeRetrievalNodeError    also: no model answered that had to choose
    ├── ExternalKnowledgeError     a retrieval API refused, or gave no answer of its format
    └── RerankingError             a reranking model did
"""

from streams.executors.errors import NodeExecutorError


class KnowledgeRetrievalNodeError(NodeExecutorError):
    """The node fails with this text."""


class ExternalKnowledgeError(KnowledgeRetrievalNodeError):
    """A retrieval API refused, or gave no answer of its format."""


class RerankingError(KnowledgeRetrievalNodeError):
    """A reranking model did."""
