"""The knowledge-retrieval node, and what fills the index that it looks into."""
