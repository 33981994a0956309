"""A reward as the operations need it: its row, its document, the rewards of its bundle."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from loyalty.kit.problems import Problem, Problems
from loyalty.rewards.definition import RewardDocument
from loyalty.rewards.models import Reward


@dataclass(frozen=True, slots=True)
class Loaded:
    """`parts` of a bundle with how many of each."""

    row: Reward
    document: RewardDocument
    parts: tuple[tuple["Loaded", int], ...] = ()

    @property
    def left(self) -> int | None:
        """How many there are still, of a bundle how many can be put together; None without a limit."""
        own = None if self.row.stock is None else self.row.stock - self.row.taken
        whole = [own, *(None if part.left is None else part.left // n for part, n in self.parts)]
        known = [one for one in whole if one is not None]
        return min(known) if known else None

    @property
    def at_once(self) -> bool:
        """Whether it, and all of a bundle, is delivered in the moment it is redeemed."""
        return self.document.at_once and all(part.at_once for part, _n in self.parts)


def ready(rows: Sequence[Reward]) -> list[Loaded]:
    """The rows with their documents and their parts; one query for all parts, none without bundles."""
    documents = {row.id: RewardDocument.model_validate(row.definition) for row in rows}
    known = {row.key: row for row in rows}
    wanted = {part.reward for one in documents.values() for part in one.items}
    if wanted - known.keys():
        known |= {row.key: row for row in Reward.objects.filter(key__in=wanted - known.keys())}
    alone = {
        key: Loaded(known[key], documents.get(known[key].id) or RewardDocument.model_validate(known[key].definition))
        for key in wanted & known.keys()
    }
    return [
        Loaded(
            row,
            documents[row.id],
            tuple((alone[part.reward], part.quantity) for part in documents[row.id].items if part.reward in alone),
        )
        for row in rows
    ]


def load(key: str, *, program_id: int | None = None, where: str = "reward") -> Loaded:
    """The reward with that key; raises Problems."""
    rows = Reward.objects.all() if program_id is None else Reward.objects.filter(program_id=program_id)
    found = rows.filter(key=key).first()
    if found is None:
        near = get_close_matches(key, list(rows.exclude(state="archived").values_list("key", flat=True)[:1000]), n=1)
        remedy = f"did you mean {near[0]!r}?" if near else ""
        raise Problems([Problem(where, f"there is no reward {key!r}", remedy)])
    return ready([found])[0]
