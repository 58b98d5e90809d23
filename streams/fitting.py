"""Makes what follows from a command fit into messages: the records of a run, its tasks, and its start."""

from schemas.codec import Record as AvroRecord
from streams.engine.effects import (
    ConversationChanged,
    Effect,
    LogChanged,
    NodeExecuted,
    RunChanged,
    TasksCancelled,
    TaskScheduled,
)
from streams.offload import DOCUMENT_BYTES, Owner, brief, packed, slim
from transport.values import Upload

_NODE_FIELDS = ("inputs", "process_data", "outputs")
_RUN_FIELDS = ("inputs", "outputs")
_LOG_FIELDS = ("trigger_data", "inputs", "outputs")


def fitting_bytes(limit: int) -> int:
    """A message of no more, without a reference in it, is of a record that `fitting` would change nothing of:
    all of it is smaller than any field may be. `limit`: see `Offload.limit`."""
    return min(limit, DOCUMENT_BYTES)


def fitting(effect: Effect, owner: Owner, limit: int, uploads: list[Upload]) -> AvroRecord:
    """The record of an effect, with what is too large left out; adds to `uploads`. `limit`: see
    `Offload.limit`."""
    match effect:
        case NodeExecuted(record):
            slimmed = slim(record, _NODE_FIELDS, owner, limit, uploads)
            told = brief(record["execution_metadata"])
            return (
                slimmed if told is record["execution_metadata"] else {**slimmed, "execution_metadata": told}
            )
        case RunChanged(record):
            return slim(record, _RUN_FIELDS, owner, limit, uploads)
        case LogChanged(record):
            return fitting_log(record, owner, limit, uploads)
        case TasksCancelled(record, _):
            return record
        case ConversationChanged(record):
            return {**record, "payload": packed(record["payload"], owner, uploads)}
        case TaskScheduled(record):
            config = packed(record["config"], owner, uploads)
            return {**record, "config": config, "inputs": packed(record["inputs"], owner, uploads)}


def fitting_log(log: AvroRecord, owner: Owner, limit: int, uploads: list[Upload]) -> AvroRecord:
    """A trigger log, likewise."""
    return slim(log, _LOG_FIELDS, owner, limit, uploads)


def fitting_start(command: AvroRecord, owner: Owner, uploads: list[Upload]) -> AvroRecord:
    """The command that starts a run, likewise; its trigger log fits already."""
    return {**command, "payload": packed(command["payload"], owner, uploads)}
