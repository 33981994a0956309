"""What is bought together, and how many receipts had a card."""

from datetime import timedelta
from decimal import Decimal

import pytest

from loyalty.checkout import recommending, shares, tasks, unmatched
from loyalty.checkout.baskets import Basket
from loyalty.checkout.models import TillItem
from loyalty.kit.clock import now
from loyalty.program import purchases
from loyalty.program.setup import load
from tests.db.loyalty.checkout.test_till import Till
from tests.db.loyalty.program.club import BASE, applied, customer

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def forget() -> None:
    recommending._known.clear()


def bought(*baskets: str, who: str = "anna", margin: dict[str, int] | None = None) -> None:
    """Each basket is a word: each letter an article."""
    setup = load("club")
    rows = [
        {
            "id": f"{who}-{number}-{basket}", "customer": who, "store": "cologne",
            "items": [{"sku": one, "amount": 10, "margin": (margin or {}).get(one, 2)} for one in basket],
        }
        for number, basket in enumerate(baskets)
    ]  # fmt: skip
    assert purchases.commit(rows=rows, setup=setup, now=now()).rejected == []


def test_what_is_bought_together() -> None:
    applied(BASE)
    customer("anna"), customer("berta")
    bought("ab", "ab", "ab", "abc", "c", "c", "c", "c", "dd", "ad", "ad")
    # d twice with a: too few to say anything.
    assert recommending.compute(now=now()) == 4
    recommending.learn_names([("b", "Bread")], now=now())
    assert [(tip.sku, tip.name, tip.because) for tip in recommending.tips(["a"])] == [
        ("b", "Bread", "a"), ("c", "c", ""), ("d", "d", ""),
    ]  # fmt: skip
    assert recommending.tips(["a"])[0].sentence == "Bread: often bought with a."
    assert recommending.tips(["a"])[1].sentence == "c: bought often."
    assert [tip.sku for tip in recommending.tips(["a"], bought={"b"}, without={"c"})] == ["d"]
    assert [tip.sku for tip in recommending.tips([])] == ["a", "c", "b"]


def test_nothing_is_recommended_at_a_loss() -> None:
    applied(BASE)
    customer("anna")
    bought(*["ab"] * 4, margin={"b": -1})
    recommending.compute(now=now())
    assert TillItem.objects.get(sku="b").margin == Decimal("-1.00")
    assert recommending.tips(["a"]) == []


def test_the_till_is_told_and_what_the_customer_has_is_left_out() -> None:
    applied(BASE)
    customer("anna"), customer("berta")
    till = Till()
    bought(*["ab"] * 3, "ac", "ac", "ac")
    assert tasks.recommend(now=now()) == 3
    assert tasks.recommend(now=now()) == 0
    till("post", "transactions/commit", {"id": "x", "customer": "berta", "items": [
        {"sku": "c", "name": "Cheese", "amount": 5}]})  # fmt: skip
    body = {"id": "s", "customer": "berta", "items": [{"sku": "a", "amount": 10}]}
    tips = [one for one in till("post", "transactions/simulate", body)["recommendations"] if one["kind"] == "item"]
    assert [(one["sku"], one["because"], one["sentence"]) for one in tips] == [("b", "a", "b: often bought with a.")]
    body["without"] = ["b"]
    assert till("post", "transactions/simulate", body)["recommendations"] == []
    assert TillItem.objects.get(sku="c").name == "Cheese"


def test_a_till_that_was_offline_names_its_articles_too() -> None:
    applied(BASE)
    customer("anna")
    rows = [
        {"id": "q1", "customer": "anna", "items": [{"sku": "a", "name": "Apples", "amount": 5}]},
        {"id": "q2", "customer": {"card": "1"}, "items": [{"sku": "b", "name": "Bread", "amount": 5}]},
        {"id": "q3", "customer": "anna", "amount": 5},
        "nothing",
    ]
    assert Till()("post", "transactions/batch", {"transactions": rows})["accepted"] == 2
    assert list(TillItem.objects.values_list("sku", "name")) == [("a", "Apples")]


def test_the_share_of_receipts_with_a_card() -> None:
    setup = applied(BASE)
    anna = customer("anna")
    bought("a", "b", "c")
    baskets = [
        Basket.model_validate({"id": f"n{n}", "customer": None, "amount": 20, "store": "cologne"}) for n in range(2)
    ]
    first, _second = unmatched.keep(baskets, setup=setup, now=now())
    unmatched.claim(
        customer_id=anna,
        reference="anna",
        setup=setup,
        now=now(),
        actor="test",
        code=first.code,  # type: ignore[union-attr]
    )
    assert tasks.count_shares(now=now()) == 1
    assert tasks.count_shares(now=now()) == 0
    [(month, share)] = shares.by_month()
    # What was claimed afterwards had no card.
    assert (share.with_card, share.without_card, share.percent) == (3, 2, Decimal("60.0"))
    assert share.percent_of_sales == Decimal("42.9")
    assert [(one.label, one.with_card) for one in shares.by_store(month)] == [("cologne", 3)]
    assert tasks.count_shares(now=now() + timedelta(hours=25)) == 1
    assert shares.by_month(store="berlin") == []
