"""What can go wrong on the way to Kafka, to ClickHouse and to the object storage.

TransportError
├── SendFailed            the broker did not acknowledge in time: the caller retries or refuses
├── BrokerUnreachable     no broker answered: the operator acts
├── TopicsMismatch        topics exist with another number of partitions: the operator acts
├── ClickHouseUnavailable no ClickHouse answered: retry while running, at the start the operator acts
├── StatementRefused      ClickHouse answered with an error: by its code
├── StorageUnavailable    the object storage does not answer, or refuses: retry, else the operator acts
├── ModelRefused          a model endpoint refuses, or gives no reply of its format: the caller decides
├── ObjectMissing         never written, or pruned: whoever refers to it fails
└── ObjectTooLarge        more than the caller takes: refuse
"""


class TransportError(Exception):
    """Any failure between a role and what it stands on."""


class SendFailed(TransportError):
    """At least one message of a batch was not acknowledged by all in-sync replicas."""


class BrokerUnreachable(TransportError):
    """No bootstrap server answered within the bounded wait."""


class TopicsMismatch(TransportError):
    """A topic exists with fewer or more partitions than the tables of this deployment need."""


class ClickHouseUnavailable(TransportError):
    """The engine cannot be opened, or the server does not answer; the message says what to do."""


class StatementRefused(TransportError):
    """ClickHouse did not execute a statement. Nothing of it has happened."""

    def __init__(self, message: str, code: int) -> None:
        """`code` is ClickHouse's own, 0 where it gave none."""
        super().__init__(message)
        self.code = code


class StorageUnavailable(TransportError):
    """The object storage cannot be reached or written; the message says why."""


class ObjectMissing(TransportError):
    """There is no object under the key."""


class ObjectTooLarge(TransportError):
    """The object has more bytes than the caller takes."""


class ModelRefused(TransportError):
    """A model endpoint refuses, cannot be reached, or gives no reply of its format; the text says which."""
