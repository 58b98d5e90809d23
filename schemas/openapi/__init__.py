"""OpenAPI documents as tools: Swagger 2.0, OpenAPI 3.0 and 3.1. Pure; sends nothing.

`read_api(document)` names everything that keeps an operation from being called. What does not (a missing
`info`, an unknown keyword) is let pass, since documents in the field are rarely valid to the letter.
"""

from schemas.openapi.api import Api, read_api
from schemas.openapi.operation import Body, HttpTool, Parameter

__all__ = ["Api", "Body", "HttpTool", "Parameter", "read_api"]
