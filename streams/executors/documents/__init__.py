"""The document-extractor node, and the extraction that knowledge is filled with: parsers in processes of
their own, since a document is the work of a stranger."""
