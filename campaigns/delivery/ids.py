"""Pure: message ids. The id is the key (enrollment, visit, step, channel): the primary key carries "at most once".

63       25 24      13 12      3 2     0
enrollment  visit      step_no   channel
38 bits     12 bits    10 bits   3 bits
"""

from typing import NamedTuple

from loyalty.kit.sql import Sql, sql

ENROLLMENT_SHIFT = 25
VISIT_SHIFT = 13
STEP_SHIFT = 3
MAX_ENROLLMENT = (1 << 38) - 1
MAX_VISIT = (1 << 12) - 1
MAX_STEP = (1 << 10) - 1
MAX_CHANNEL = (1 << 3) - 1


class MessageKey(NamedTuple):
    """What a message id says."""

    enrollment: int
    visit: int
    step_no: int
    channel: int


def pack(enrollment: int, visit: int, step_no: int, channel: int) -> int:
    """The id of the message of that enrollment's visit to that step on that channel; raises ValueError out of range."""
    for name, value, most in (
        ("enrollment", enrollment, MAX_ENROLLMENT),
        ("visit", visit, MAX_VISIT),
        ("step_no", step_no, MAX_STEP),
        ("channel", channel, MAX_CHANNEL),
    ):
        if not 0 <= value <= most:
            raise ValueError(f"{name} {value} does not fit into a message id (0 to {most})")
    return enrollment << ENROLLMENT_SHIFT | visit << VISIT_SHIFT | step_no << STEP_SHIFT | channel


def unpack(message_id: int) -> MessageKey:
    """The parts of a message id."""
    return MessageKey(
        message_id >> ENROLLMENT_SHIFT,
        message_id >> VISIT_SHIFT & MAX_VISIT,
        message_id >> STEP_SHIFT & MAX_STEP,
        message_id & MAX_CHANNEL,
    )


def pack_sql(enrollment: Sql, visit: Sql, step_no: int, channel: int) -> Sql:
    """The SQL twin of `pack` for a known step and channel: a bigint expression."""
    low = pack(0, 0, step_no, channel)
    return sql("((({e})::bigint << 25) | (({v})::bigint << 13) | {low}::bigint)", e=enrollment, v=visit, low=low)


def enrollment_sql(message_id: Sql) -> Sql:
    """The enrollment id inside a message id."""
    return sql("(({id})::bigint >> 25)", id=message_id)


def visit_sql(message_id: Sql) -> Sql:
    """The visit inside a message id."""
    return sql("(({id})::bigint >> 13 & 4095)", id=message_id)


def step_sql(message_id: Sql) -> Sql:
    """The step number inside a message id."""
    return sql("(({id})::bigint >> 3 & 1023)", id=message_id)


def channel_sql(message_id: Sql) -> Sql:
    """The channel number inside a message id."""
    return sql("(({id})::bigint & 7)", id=message_id)
