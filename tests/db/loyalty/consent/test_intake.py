"""Whatever rows come in: each is taken or refused with a reason, and nothing breaks."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty.consent.intake import upsert_with_consents
from loyalty.customers.rows import COLUMNS, IDENTITY_KINDS

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
ANY = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)
IDS = st.sampled_from(["a", "b", "c"]) | ANY
EMAILS = st.sampled_from(["a@example.com", "B@example.com"]) | ANY
CONSENT = st.fixed_dictionaries(
    {
        "channel": st.just("email") | ANY,
        "purpose": st.sampled_from(["marketing", "tracking"]) | ANY,
        "status": st.sampled_from(["granted", "withdrawn"]) | ANY,
        "source": st.just("shop") | ANY,
        "at": st.sampled_from(["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"]) | ANY,
    },
    optional={"evidence": ANY, "text_version": ANY},
)
ROW = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(COLUMNS, ANY),
        "external_id": IDS,
        "email": EMAILS,
        "identities": st.dictionaries(st.sampled_from(IDENTITY_KINDS), IDS, max_size=2) | ANY,
        "attributes": st.dictionaries(st.sampled_from(["x", "y", "country"]) | st.text(max_size=5), ANY, max_size=3)
        | ANY,
        "consents": st.lists(CONSENT | ANY, max_size=2) | ANY,
    },
)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(ROW | ANY, max_size=5))
def test_every_row_is_taken_or_refused_with_a_reason(rows: list[Any]) -> None:
    done = upsert_with_consents(rows, now=NOW, source="test")
    refused = {index for index, problems in done.rejected if problems}
    assert done.accepted == len(rows) - len(refused)
    assert {index for index, one in enumerate(done.ids) if one is None} == refused
    for _index, problems in done.rejected:
        assert all(problem.problem for problem in problems)
