"""Where a request comes from."""

from ipaddress import ip_address

from django.http import HttpRequest


def client_address(request: HttpRequest) -> str | None:
    """The caller's IP address: that of the connection, or what our proxy says when the connection is the proxy's.

    A private address is a proxy's, and of X-Forwarded-For only the last entry is its own; the others were sent by the
    caller. None when nothing that can be read as an address is there.
    """
    near = request.META.get("REMOTE_ADDR", "")
    told = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    try:
        if told and (not near or ip_address(near).is_private):
            return str(ip_address(told))
        return str(ip_address(near))
    except ValueError:
        return None
