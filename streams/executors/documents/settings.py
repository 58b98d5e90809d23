"""What documents may cost, resolved once from the environment and passed in."""

import os
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class DocumentSettings(BaseSettings):
    """The processes that parse documents."""

    model_config = SettingsConfigDict(env_prefix="HOPLINE_DOCUMENTS_", frozen=True, env_ignore_empty=True)

    processes: Annotated[int, Field(ge=1, le=128)] = max(2, os.cpu_count() or 1)
    """Documents parsed at once; others wait."""
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 60
    """Of the clock, for one document."""
    memory_mb: Annotated[int, Field(ge=128)] = 1024
    """Address space of one process, of which the parsers themselves take some 200."""
    max_file_mb: Annotated[int, Field(ge=1)] = 50
    """Of one document."""
    max_unpacked_mb: Annotated[int, Field(ge=1)] = 512
    """Of the files within one document that is an archive (docx, xlsx, pptx, epub, odt)."""
    max_text_mb: Annotated[int, Field(ge=1)] = 16
    """Of the text of one document."""
