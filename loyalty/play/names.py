"""Pure: the words for states, and the name under which the timeline is read."""

CONSUMER = "play"

STATES = ("active", "paused")
SHEET_STATES = ("open", "complete", "expired")
RUN_STATES = ("open", "done", "lapsed", "stopped")
AWARD_STATES = ("due", "given", "refused")

CHALLENGE, STAMP_CARD, GAME = "challenge", "stamp_card", "game"
WON, CONSOLATION, NOTHING, ENTERED = "won", "consolation", "nothing", "entered"
OUTCOMES = (WON, CONSOLATION, NOTHING, ENTERED)
