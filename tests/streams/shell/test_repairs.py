"""What aiokafka says, as the shell has it."""

from aiokafka.errors import for_code

import streams.shell.repairs  # noqa: F401


def test_who_has_the_id_of_another_worker_is_told_so() -> None:
    fenced_instance_id = 82
    error = for_code(fenced_instance_id)()
    assert "another worker has the same HOPLINE_WORKER_ID" in str(error)
    assert repr(error) == str(error)
