"""What the sink does about failures.

ClickHouseUnavailable  (transport) write the batch again, later
StatementRefused       (transport) by its code: `is_data_error` means that a record is to blame, which becomes
                       a dead letter; all else is the server's trouble: write the batch again, later
UndecodableValue       (schemas) the record becomes a dead letter
SendFailed             (transport) a dead letter has not reached the broker: write the batch again, later
KafkaException         the consumer is broken: crash, the restart reads on from the committed offsets
"""

from transport.errors import StatementRefused

_DATA_CODES = frozenset(
    {
        6,  # CANNOT_PARSE_TEXT
        25,  # CANNOT_PARSE_ESCAPE_SEQUENCE
        26,  # CANNOT_PARSE_QUOTED_STRING
        27,  # CANNOT_PARSE_INPUT_ASSERTION_FAILED
        32,  # ATTEMPT_TO_READ_AFTER_EOF
        33,  # CANNOT_READ_ALL_DATA
        38,  # CANNOT_PARSE_DATE
        41,  # CANNOT_PARSE_DATETIME
        53,  # TYPE_MISMATCH
        69,  # ARGUMENT_OUT_OF_BOUND
        70,  # CANNOT_CONVERT_TYPE
        72,  # CANNOT_PARSE_NUMBER
        117,  # INCORRECT_DATA
        131,  # TOO_LARGE_STRING_SIZE
        321,  # VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
        349,  # CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
        376,  # CANNOT_PARSE_UUID
        407,  # DECIMAL_OVERFLOW
        469,  # VIOLATED_CONSTRAINT
        748,  # AVRO_EXCEPTION: damaged bytes
    }
)


def is_data_error(refused: StatementRefused) -> bool:
    """Whether the rows, and not the server or the table, are why an insert was refused."""
    return refused.code in _DATA_CODES
