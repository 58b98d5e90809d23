"""Nobody asks for committed offsets in the way that ends the process when a broker has just died."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("schemas", "transport", "ingress", "streams", "sinks", "cli", "bench")


@pytest.mark.parametrize("package", PACKAGES)
def test_the_admin_client_is_not_asked_for_offsets_of_groups(package: str) -> None:
    files = (ROOT / package).rglob("*.py")
    ours = [file for file in files if not any(part.startswith(".") for part in file.relative_to(ROOT).parts)]
    assert [str(file) for file in ours if ".list_consumer_group_offsets(" in file.read_text()] == []
