"""What always holds of stamps, challenges and games."""

from loyalty.kit.checks import invariant

invariant(
    "play.stock_is_kept",
    guarantee=18,
    promise="no more of a prize is won than there was, and every win is a play",
    query="""
        SELECT p.id, p.key, p.stock, p.won, count(y.id) AS plays FROM game_prize p
        LEFT JOIN game_play y ON y.prize_id = p.id GROUP BY p.id
        HAVING p.won <> count(y.id) OR p.won > p.stock""",
)
invariant(
    "play.wins_are_awarded",
    guarantee=18,
    promise="every play that won has its prize written down",
    query="""
        SELECT y.id FROM game_play y WHERE y.outcome IN ('won', 'consolation')
        AND NOT EXISTS (SELECT FROM prize_award a WHERE a.origin = 'game' AND a.ref = y.id)""",
)
invariant(
    "play.full_sheets_are_full",
    guarantee=18,
    promise="a sheet is complete exactly when it is full of stamps",
    query="SELECT id, state, stamps, size FROM stamp_sheet WHERE (state = 'complete') <> (stamps = size)",
)
invariant(
    "play.stamps_were_given",
    guarantee=18,
    promise="no card has more stamps on its sheets than were given",
    query="""
        SELECT t.card_id, t.stamps, coalesce(g.given, 0) AS given
        FROM (SELECT card_id, sum(stamps) AS stamps FROM stamp_sheet GROUP BY 1) t
        LEFT JOIN (SELECT card_id, sum(count) AS given FROM stamp GROUP BY 1) g ON g.card_id = t.card_id
        WHERE t.stamps > coalesce(g.given, 0)""",
)
invariant(
    "play.done_is_reached",
    guarantee=18,
    promise="a challenge is done by those who reached its target",
    query="SELECT id, progress, target FROM challenge_run WHERE state = 'done' AND progress < target",
)
invariant(
    "play.plays_are_counted",
    guarantee=18,
    promise="no game has more plays than were given",
    query="""
        SELECT p.game_id, p.earned, coalesce(t.plays, 0) AS given
        FROM (SELECT game_id, sum(earned) AS earned FROM game_player GROUP BY 1) p
        LEFT JOIN (SELECT game_id, sum(plays) AS plays FROM game_ticket GROUP BY 1) t ON t.game_id = p.game_id
        WHERE p.earned > coalesce(t.plays, 0)""",
)
invariant(
    "play.draws_are_complete",
    guarantee=18,
    promise="after a prize draw no ticket is left undrawn",
    query="""
        SELECT y.id, g.key FROM game_play y JOIN game g ON g.id = y.game_id
        WHERE y.outcome = 'entered' AND g.drawn_at IS NOT NULL""",
)
invariant(
    "play.people_exist",
    guarantee=20,
    promise="whoever plays is a customer who exists",
    query="""
        SELECT 'stamp_sheet' AS kind, s.id FROM stamp_sheet s
        WHERE NOT EXISTS (SELECT FROM customer c WHERE c.id = s.customer_id)
        UNION ALL SELECT 'challenge_run', r.id FROM challenge_run r
        WHERE NOT EXISTS (SELECT FROM customer c WHERE c.id = r.customer_id)
        UNION ALL SELECT 'leaderboard_entry', e.id FROM leaderboard_entry e
        WHERE NOT EXISTS (SELECT FROM customer c WHERE c.id = e.customer_id)
        UNION ALL SELECT 'game_round', r.game_id FROM game_round r
        WHERE NOT EXISTS (SELECT FROM customer c WHERE c.id = r.customer_id)
        UNION ALL SELECT 'game_play', y.id FROM game_play y WHERE y.customer_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM customer c WHERE c.id = y.customer_id)
        UNION ALL SELECT 'prize_award', a.id FROM prize_award a WHERE a.customer_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM customer c WHERE c.id = a.customer_id)""",
)
