"""What templates of deployments make of a setting that nobody has given: a variable that is empty."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from transport.settings import KafkaSettings

ROOT = Path(__file__).parents[1]
PACKAGES = ("schemas", "plugins", "transport", "ingress", "streams", "sinks", "cli")


def resolved_from_environment() -> Iterator[type[BaseSettings]]:
    for file in sorted(file for package in PACKAGES for file in (ROOT / package).rglob("settings.py")):
        module = import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
        for found in vars(module).values():
            if (
                isinstance(found, type)
                and issubclass(found, BaseSettings)
                and found.__module__ == module.__name__
            ):
                yield found


def variables(settings: type[BaseSettings]) -> Iterator[str]:
    prefix = settings.model_config.get("env_prefix", "")
    for name, field in settings.model_fields.items():
        alias = field.validation_alias
        yield alias if isinstance(alias, str) else f"{prefix}{name}".upper()


@pytest.mark.parametrize(
    "settings",
    [it for it in resolved_from_environment() if it is not KafkaSettings],
    ids=lambda it: it.__name__,
)
def test_what_is_empty_has_its_default(settings: type[BaseSettings], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in variables(settings):
        monkeypatch.delenv(name, raising=False)
    default = settings()
    for name in variables(settings):
        monkeypatch.setenv(name, "")
    assert settings() == default


def test_topics_may_be_without_a_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    default = KafkaSettings()
    for name in variables(KafkaSettings):
        monkeypatch.setenv(name, "")
    kafka = KafkaSettings()
    assert kafka.full_name("runs") == "runs"
    assert kafka == default.model_copy(update={"topic_prefix": ""})
