"""Tokens of public URLs: each says one thing, for one purpose, and nothing can be changed."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.delivery import links
from campaigns.delivery.links import MessageLinks
from loyalty.kit.tokens import BadToken

NUMBERS = st.integers(1, 2**63 - 1)
ALPHABET = string.ascii_letters + string.digits + "-_"


@given(NUMBERS, st.integers(0, 0xFFFE))
def test_a_fixed_link_says_its_message_and_number(message_id: int, link: int) -> None:
    assert links.read_click(links.click_token(message_id, link)) == (message_id, link, None)


@given(NUMBERS, st.text(min_size=1, max_size=300).filter(lambda text: text.encode("utf-8", "ignore").decode() == text))
def test_a_link_made_of_data_carries_its_target_sealed(message_id: int, url: str) -> None:
    token = links.click_token(message_id, None, url)
    assert links.read_click(token) == (message_id, None, url)
    assert set(token) <= set(ALPHABET)


def test_unsubscribe_and_preferences_say_who_and_what() -> None:
    token = links.unsubscribe_token(5, 7, "email", "marketing")
    assert links.read_unsubscribe(token) == (5, 7, "email", "marketing")
    assert links.read_preferences(links.preferences_token(7, 5)) == (7, 5)
    assert links.read_open(links.open_token(5)) == 5


READERS = (links.read_click, links.read_open, links.read_unsubscribe, links.read_preferences)
TOKENS = (
    links.click_token(5, 1),
    links.open_token(5),
    links.unsubscribe_token(5, 7, "email", "marketing"),
    links.preferences_token(7, 5),
)


@pytest.mark.parametrize("reader", range(4))
@pytest.mark.parametrize("token", range(4))
def test_a_token_serves_one_purpose(reader: int, token: int) -> None:
    if reader == token:
        READERS[reader](TOKENS[token])
    else:
        with pytest.raises(BadToken):
            READERS[reader](TOKENS[token])


@pytest.mark.parametrize("kind", range(4))
def test_no_changed_token_is_read(kind: int) -> None:
    token = TOKENS[kind]
    changed = {token[:-1], token + "A", token[1:], "", "A" * len(token)}
    changed |= {
        token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :] for place in range(len(token))
    }
    for wrong in changed:
        with pytest.raises(BadToken):
            READERS[kind](wrong)


def test_without_consent_links_lead_straight_to_their_target() -> None:
    plain = MessageLinks(5, 7, "email", "marketing", False, "https://x.example")
    assert plain.click(0, "https://shop.example") == "https://shop.example"
    assert plain.open_pixel() is None
    assert plain.unsubscribe.startswith("https://x.example/u/")
    tracked = MessageLinks(5, 7, "email", "marketing", True, "https://x.example")
    assert tracked.click(0, "https://shop.example").startswith("https://x.example/t/c/")
    assert (tracked.open_pixel() or "").startswith("https://x.example/t/o/")
