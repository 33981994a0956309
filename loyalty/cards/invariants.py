"""What always holds for cards."""

from loyalty.kit.checks import invariant

invariant(
    "cards.refused_cards_open_nothing",
    guarantee=18,
    promise="a card that was blocked or ended leads to nobody who had it",
    query="""
        SELECT c.number, c.state, i.customer_id FROM card c
        JOIN customer_identity i ON i.kind = 'card' AND i.value = c.number
        WHERE c.state <> 'ready' AND i.customer_id = c.customer_id""",
)
invariant(
    "cards.replacements_end",
    guarantee=18,
    promise="the cards that replace each other make no circle",
    query="""
        WITH RECURSIVE chain AS (
            SELECT id AS first, replaced_by_id AS next, 1 AS steps FROM card WHERE replaced_by_id IS NOT NULL
            UNION ALL
            SELECT chain.first, card.replaced_by_id, chain.steps + 1 FROM chain JOIN card ON card.id = chain.next
            WHERE card.replaced_by_id IS NOT NULL AND chain.next <> chain.first AND chain.steps < 1000
        ) SELECT first, steps FROM chain WHERE next = first""",
)
