"""`/api/v1/model-providers`: the endpoints of the models that nodes ask."""

from typing import Self

from pydantic import model_validator

from ingress.resources import ProviderBody, ProviderView, Resource
from ingress.wire import Answer
from schemas.models import ModelProvider
from schemas.models.model_provider import ModelSource, check_credentials


class ModelProviderBody(ModelSource, ProviderBody):
    """A provider to be created or replaced."""

    @model_validator(mode="after")
    def _has_no_other_credential(self) -> Self:
        check_credentials(self.credentials)
        return self


class ModelProviderView(ModelSource, ProviderView):
    """A provider as it is shown."""


class ModelProviderList(Answer):
    """The tenant's."""

    data: list[ModelProviderView]


OPERATIONS = Resource(
    topic="definitions.model_providers",
    entity=ModelProvider,
    body=ModelProviderBody,
    view=ModelProviderView,
    listing=ModelProviderList,
    path="/api/v1/model-providers",
    tag="model-providers",
    told=lambda provider: (provider.base_url,),
).operations()
