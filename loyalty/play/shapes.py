"""What the calls of challenges, stamp cards and games take and answer."""

from datetime import date, datetime
from decimal import Decimal

from ninja import Field, Schema
from pydantic import ConfigDict

Texts = dict[str, str]


class ChallengeOut(Schema):
    key: str
    name: Texts
    description: Texts
    image: str | None
    state: str = Field(description="available, open, done or lapsed")
    joinable: bool = Field(description="Whether it waits for being taken up.")
    progress: Decimal
    target: Decimal | None = Field(description="Null before a personal target is known.")
    usual: Decimal | None = Field(description="What the person's own target was made from, where it is one.")
    until: date | None = Field(description="The last day of its turn, where challenges take turns.")
    unit: str = Field(description="events, days, amount, things, or periods (in a row)")
    streak: str | None = Field(description="day, week or month, where periods in a row count.")
    each: Decimal | None = Field(description="What each of those periods has to reach.")
    best: Decimal
    share: float
    started_at: datetime | None
    ends_at: datetime | None
    closed_at: datetime | None
    done: int = Field(description="How often the person has done it.")
    prizes: list[str]


class ChallengesOut(Schema):
    challenges: list[ChallengeOut]


class BegunOut(Schema):
    begun: int
    challenge: ChallengeOut | None


class StepOut(Schema):
    at: int
    prize: str


class StampCardOut(Schema):
    key: str
    name: Texts
    description: Texts
    image: str | None
    stamps: int
    size: int
    expires_at: datetime | None
    complete: int
    steps: list[StepOut]
    prizes: list[str]


class StampCardsOut(Schema):
    stamp_cards: list[StampCardOut]


class StampsIn(Schema):
    model_config = ConfigDict(extra="forbid")

    customer: str | dict[str, str] = Field(description='External id, or one identity such as {"card": "..."}.')
    id: str = Field(min_length=1, max_length=200, description="Your own id: the same one again gives nothing again.")
    count: int = Field(1, ge=1, le=100)


class StampsOut(Schema):
    given: int = Field(description="0 for an id that was used before.")
    stamp_card: StampCardOut | None


class BadgeLevelOut(Schema):
    key: str
    name: Texts
    at: int = Field(description="From so many times on.")


class BadgeOut(Schema):
    key: str
    name: Texts
    description: Texts
    image: str | None
    times: int
    since: datetime
    level: BadgeLevelOut | None
    next: BadgeLevelOut | None


class BadgesOut(Schema):
    badges: list[BadgeOut]


class DoorOut(Schema):
    door: int
    day: date
    state: str = Field(description="ready, open, closed or missed")
    outcome: str | None


class GamePrizeOut(Schema):
    key: str
    name: Texts
    prize: str
    odds: float | None = Field(description="Of one play; null where it depends on the number of tickets.")
    right: int | None = Field(description="Right answers that it takes, in a quiz.")
    moves: int | None = Field(description="The most moves, in a memory.")
    left: int | None = Field(description="Null where there is no limit.")


class PlayIn(Schema):
    model_config = ConfigDict(extra="forbid")

    customer: str | dict[str, str] = Field(description='External id, or one identity such as {"card": "..."}.')
    id: str | None = Field(None, max_length=200, description="Your own id: the same one again answers the same play.")
    door: int | None = Field(None, description="Which door of a calendar.")
    answers: dict[str, str] | None = Field(None, description="For a quiz: the chosen answer of each question.")
    of_age: bool = Field(False, description="The person declares to be old enough.")


class TurnIn(Schema):
    model_config = ConfigDict(extra="forbid")

    customer: str | dict[str, str] = Field(description='External id, or one identity such as {"card": "..."}.')
    card: int = Field(description="Which card, from 1.")
    of_age: bool = Field(False, description="The person declares to be old enough.")


class PlayOut(Schema):
    play: int
    outcome: str = Field(description="won, consolation, nothing, or entered (a ticket of a prize draw)")
    prize: str | None = Field(description="The key of the prize that was drawn.")
    name: Texts | None
    sentence: str
    reference: str | None = Field(description="What the prize became: a code, a booking; null while it is on its way.")
    plays_left: int | None
    repeated: bool
    score: int | None = Field(description="Right answers of a quiz, moves of a memory that was solved.")


class MemoryCardOut(Schema):
    number: int
    state: str = Field(description="closed, open or found")
    sign: str
    name: str


class RoundOut(Schema):
    cards: list[MemoryCardOut]
    moves: int
    moves_left: int
    turned: int | None
    played: PlayOut | None = Field(description="What came of the round, when it is over.")


class QuizAnswerOut(Schema):
    key: str
    text: Texts


class QuizQuestionOut(Schema):
    key: str
    text: Texts
    answers: list[QuizAnswerOut]


class LastPlayOut(Schema):
    play: int
    at: datetime
    outcome: str
    prize: str | None
    sentence: str
    score: int | None
    judged: int | None = Field(description="Of how many questions that have a right answer.")


class GameOut(Schema):
    key: str
    type: str
    style: str = Field(description="at_once, doors, questions, cards or tickets")
    name: Texts
    description: Texts
    image: str | None
    first_day: date = Field(alias="from")
    last_day: date = Field(alias="to")
    plays_left: int | None = Field(description="Null for a calendar, whose doors say it.")
    free_left: int
    age: int | None
    needs_age: bool = Field(description="Whether the first play has to say `of_age: true`.")
    doors: list[DoorOut]
    questions: list[QuizQuestionOut] = Field(description="What the next play of a quiz asks.")
    round: RoundOut | None = Field(description="The round of a memory that is under way.")
    tickets: list[int] = Field(description="The person's tickets of a prize draw, at most 100.")
    draw_at: datetime | None
    drawn_at: datetime | None
    last: LastPlayOut | None = Field(description="The person's latest play.")
    commitment: str
    rules: str
    prizes: list[GamePrizeOut]
    consolation: str | None


class GamesOut(Schema):
    games: list[GameOut]


class TicketsIn(Schema):
    model_config = ConfigDict(extra="forbid")

    customer: str | dict[str, str]
    id: str = Field(min_length=1, max_length=200, description="Your own id: the same one again gives nothing again.")
    plays: int = Field(1, ge=1, le=1000)


class TicketsOut(Schema):
    given: int
    plays_left: int | None


class SectionOut(Schema):
    heading: str
    paragraphs: list[str]
    items: list[str]


class RulesOut(Schema):
    language: str
    title: str
    sections: list[SectionOut]
    commitment: str = Field(description="SHA-256 of the game's secret.")
    secret: str | None = Field(description="In hexadecimal, once the game is over.")


class WonOut(Schema):
    id: int
    origin: str
    of: str | None
    name: Texts | None
    prize: str
    type: str
    state: str
    reference: str | None
    won_at: datetime
    given_at: datetime | None


class PrizesOut(Schema):
    prizes: list[WonOut]


class WhoIn(Schema):
    model_config = ConfigDict(extra="forbid")

    customer: str | dict[str, str] = Field(description='External id, or one identity such as {"card": "..."}.')


class BoardRowOut(Schema):
    rank: int
    nickname: str
    score: Decimal
    own: bool


class BoardSelfOut(Schema):
    nickname: str
    hidden: bool
    score: Decimal
    rank: int | None = Field(description="Null for who has nothing in this period, or is hidden.")


class BoardOut(Schema):
    key: str
    name: Texts
    description: Texts
    image: str | None
    window: str
    rows: list[BoardRowOut]
    me: BoardSelfOut | None = Field(description="Null for who does not take part.")


class BoardsOut(Schema):
    leaderboards: list[BoardOut]


class NicknameIn(Schema):
    model_config = ConfigDict(extra="forbid")

    customer: str | dict[str, str] = Field(description='External id, or one identity such as {"card": "..."}.')
    nickname: str = Field(max_length=100, description="2 to 20 letters, digits, spaces or hyphens.")
