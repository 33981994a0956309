"""A message id is its key, and its SQL twin packs alike (the twin is compared in tests/db)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.delivery.ids import MAX_CHANNEL, MAX_ENROLLMENT, MAX_STEP, MAX_VISIT, MessageKey, pack, unpack

KEYS = st.builds(
    MessageKey,
    st.integers(0, MAX_ENROLLMENT),
    st.integers(0, MAX_VISIT),
    st.integers(0, MAX_STEP),
    st.integers(0, MAX_CHANNEL),
)


@given(KEYS)
def test_what_is_packed_comes_out_again_and_fits_a_bigint(key: MessageKey) -> None:
    packed = pack(*key)
    assert unpack(packed) == key
    assert 0 <= packed < 2**63


@given(KEYS, KEYS)
def test_different_keys_have_different_ids(one: MessageKey, other: MessageKey) -> None:
    assert (pack(*one) == pack(*other)) == (one == other)


@pytest.mark.parametrize(
    "key",
    [(MAX_ENROLLMENT + 1, 0, 0, 0), (0, MAX_VISIT + 1, 0, 0), (0, 0, MAX_STEP + 1, 0), (0, 0, 0, 8), (-1, 0, 0, 0)],
)
def test_what_does_not_fit_is_refused(key: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        pack(*key)


def test_an_id_as_written_down() -> None:
    assert pack(1, 1, 1, 1) == (1 << 25) + (1 << 13) + (1 << 3) + 1
