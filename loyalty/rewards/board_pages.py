"""Pages of the shop for the staff: the board of redeemed rewards, the list for a supplier, a reward as text."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.http import urlencode
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_POST, require_safe

from loyalty.kit import document_yaml
from loyalty.kit.admin import admin_page, localized, page
from loyalty.kit.clock import now
from loyalty.kit.problems import Problems
from loyalty.kit.text_pages import TextPage
from loyalty.program.models import Program
from loyalty.rewards import board, fulfillment, names
from loyalty.rewards.models import Redemption, Reward, Supplier

VIEW, CHANGE = "rewards.view_redemption", "rewards.change_redemption"
# What the buttons of a column lead to.
NEXT = {
    names.ORDERED: (names.APPROVED, names.PACKED, names.DELIVERED),
    names.APPROVED: (names.PACKED, names.DELIVERED),
    names.PACKED: (names.SHIPPED,),
    names.SHIPPED: (names.DELIVERED,),
}
EXAMPLE = """kind: reward
key: mug
type: physical
name: {en: Mug, de: Becher}
text: {en: "Holds a lot.", de: "Da geht was rein."}
categories: [home]
points: 800
stock: 100
low_stock: 10
per_person: 2
"""
WIDTH, HEIGHT, GAP = 480, 96, 8


@dataclass(frozen=True, slots=True)
class Bar:
    """One week of the chart."""

    x: int
    y: int
    width: int
    height: int
    label: str
    number: int


def bars(weeks: Sequence[tuple[datetime, int]]) -> list[Bar]:
    """The weeks as bars of a drawing `WIDTH` by `HEIGHT`; none when nothing happened."""
    most = max((number for _day, number in weeks), default=0)
    if not most:
        return []
    step = WIDTH // len(weeks)
    return [
        Bar(place * step, HEIGHT - tall, step - GAP, tall, date_format(day, "SHORT_DATE_FORMAT"), number)
        for place, (day, number) in enumerate(weeks)
        for tall in [max(2 if number else 0, round(number * HEIGHT / most))]
    ]


def _chosen(request: HttpRequest) -> dict[str, str | None]:
    return {name: request.GET.get(name, "").replace("\0", "")[:100] or None for name in ("supplier", "reward")}


@admin_page("rewards/board/", name="rewards_board", permission=VIEW)
@require_safe
def show(request: HttpRequest) -> HttpResponseBase:
    """What is to be done, by state, the oldest first."""
    chosen = _chosen(request)
    columns = board.columns(**chosen)
    reward = Reward.objects.filter(key=chosen["reward"]).first() if chosen["reward"] else None
    called = dict(Supplier.objects.values_list("key", "definition__name"))
    asked = {name: value for name, value in chosen.items() if value}
    context = {
        "title": gettext("Redeemed rewards"),
        "columns": [
            {
                "state": one.state,
                "label": Redemption.State(one.state).label,
                "count": one.count,
                "more": one.count - len(one.cards),
                "cards": [_card(row) | {"supplier": called.get(row["supplier"], row["supplier"])} for row in one.cards],
                "next": [(state, _button(state)) for state in NEXT[one.state]],
            }
            for one in columns
        ],
        "empty": not any(one.count for one in columns),
        "suppliers": [(key, called.get(key, key)) for key in board.suppliers()],
        "supplier": chosen["supplier"],
        "reward": localized(reward.name, reward.key) if reward else "",
        "asked": urlencode(asked),
        "may_change": request.user.has_perm(CHANGE),
        "low": [(localized(json.loads(name), key), left) for key, left, _alarm, name in board.low_stock()],
    }
    return page(request, "admin/rewards/board.html", context)


def _button(state: str) -> str:
    return {
        names.APPROVED: gettext("Approve"),
        names.PACKED: gettext("Packed"),
        names.SHIPPED: gettext("Shipped"),
        names.DELIVERED: gettext("Delivered"),
    }[state]


def _card(row: dict[str, Any]) -> dict[str, Any]:
    address = row["address"] or {}
    person = " ".join(part for part in (row["first_name"], row["last_name"]) if part)
    return {
        "id": row["id"],
        "url": reverse("admin:rewards_redemption_change", args=[row["id"]]),
        "name": localized(row["name"], row["key"]),
        "type": Reward.Type(row["type"]).label,
        "quantity": row["quantity"],
        "who": address.get("name") or person or row["external_id"] or gettext("somebody who was forgotten"),
        "city": address.get("city", ""),
        "since": row["state_since"],
        "ordered_at": row["ordered_at"],
        "supplier": row["supplier"],
        "tracking": row["tracking"],
        "note": row["note"],
        "no_address": row["type"] == names.PHYSICAL and not address,
    }


@admin_page("rewards/board/move/", name="rewards_board_move", permission=CHANGE)
@require_POST
def move(request: HttpRequest) -> HttpResponseBase:
    """Bring the chosen ones to a state."""
    back = reverse("admin:rewards_board")
    asked = {name: value for name, value in (("supplier", request.POST.get("supplier")),) if value}
    target = HttpResponseRedirect(f"{back}?{urlencode(asked)}" if asked else back)
    ids = [int(one) for one in request.POST.getlist("id") if one.isdecimal() and len(one) < 19]
    if not ids:
        messages.warning(request, gettext("Nothing was chosen: tick what you have done."))
        return target
    try:
        done = fulfillment.advance(
            ids, state=request.POST.get("state", ""), now=now(), actor=request.user.get_username()
        )
    except Problems as error:
        for problem in error.problems:
            messages.error(request, str(problem))
        return target
    state = Redemption.State(request.POST["state"]).label
    said = ngettext("%(n)s redemption is %(state)s now.", "%(n)s redemptions are %(state)s now.", done)
    messages.success(request, said % {"n": done, "state": state})
    if done < len(ids):
        left = ngettext("%(n)s stayed as it was.", "%(n)s stayed as they were.", len(ids) - done)
        messages.warning(request, left % {"n": len(ids) - done})
    return target


@admin_page("rewards/parcels.csv", name="rewards_parcels", permission=CHANGE)
@require_safe
def parcels(request: HttpRequest) -> HttpResponseBase:
    """Addresses of what is to be sent, for a supplier."""
    state = request.GET.get("state", "")
    states = [state] if state in names.OPEN else [names.ORDERED, names.APPROVED, names.PACKED]
    lines = board.parcels(states=states, supplier=_chosen(request)["supplier"])
    answer = StreamingHttpResponse((line.encode() for line in lines), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="parcels.csv"'
    return answer


@admin_page("rewards/new/", name="rewards_new", permission="rewards.add_reward")
def write_new(request: HttpRequest) -> HttpResponseBase:
    """A new reward as text."""
    return _text_page(request, gettext("New reward"), EXAMPLE, reverse("admin:rewards_reward_changelist"))


@admin_page("rewards/<str:key>/text/", name="rewards_text", permission="rewards.change_reward")
def write(request: HttpRequest, key: str) -> HttpResponseBase:
    """A reward as text, the same as `apply` takes."""
    found = Reward.objects.filter(key=key).first()
    if found is None:
        raise Http404
    text = document_yaml.write([{"kind": "reward", "key": found.key, **found.definition}])
    back = reverse("admin:rewards_reward_change", args=[found.pk])
    return _text_page(request, localized(found.name, found.key), text, back)


def _text_page(request: HttpRequest, title: str, text: str, back: str) -> HttpResponseBase:
    texts = TextPage(
        kind="reward",
        template="admin/rewards/text.html",
        address=lambda key: reverse("admin:rewards_reward_change", args=[Reward.objects.get(key=key).pk]),
        wanted=gettext("Write one or more documents with kind: reward."),
        saved=gettext("The reward is stored."),
    )
    return texts.answer(request, title=title, text=text, back=back, no_program=not Program.objects.exists())
