"""Errors of document extraction, by Dify's names: the class is the node's `error_type`.

DocumentExtractorError
├── FileDownloadError           the bytes of a file can't be had
├── TextExtractionError         the document is broken, hostile or beyond the limits
└── UnsupportedFileTypeError    nothing here reads this format
"""


class DocumentExtractorError(ValueError):
    """The node fails with this text."""


class FileDownloadError(DocumentExtractorError):
    """The bytes of a file can't be had."""


class TextExtractionError(DocumentExtractorError):
    """The document is broken, hostile or beyond the limits."""


class UnsupportedFileTypeError(DocumentExtractorError):
    """Nothing here reads this format."""


BY_NAME = {
    error.__name__: error
    for error in (DocumentExtractorError, FileDownloadError, TextExtractionError, UnsupportedFileTypeError)
}
"""To raise in the worker what was raised in a parsing process."""
