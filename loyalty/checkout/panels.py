"""What the page of a customer shows of the checkout: baskets that are held, receipts that were claimed."""

from django.http import HttpRequest

from loyalty.checkout.models import HeldBasket, UnmatchedReceipt
from loyalty.kit.panels import Panel, customer_panel

SHOWN = 5


@customer_panel(46, permission="checkout.view_heldbasket")
def till(request: HttpRequest, customer_id: int) -> Panel | None:
    """Nothing while there is neither."""
    held = list(HeldBasket.objects.filter(customer_id=customer_id, state="open").order_by("-id")[:SHOWN])
    receipts = list(UnmatchedReceipt.objects.filter(customer_id=customer_id).order_by("-id")[:SHOWN])
    if not held and not receipts:
        return None
    return Panel("admin/checkout/customer.html", {"held": held, "receipts": receipts})
