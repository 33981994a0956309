"""Pure: card numbers with a check digit (Luhn, ISO/IEC 7812-1), so that a mistyped number is seen at the till.

Luhn finds every single wrong digit and every swap of neighbors but 09 and 90. Numbers are texts: leading zeros count.
"""

LENGTH_MAX = 32


def check_digit(digits: str) -> str:
    """The digit to put behind `digits`; raises ValueError for anything but 1 to 31 of 0 to 9."""
    if not (digits.isascii() and digits.isdigit() and len(digits) < LENGTH_MAX):
        raise ValueError(f"{digits!r} is not a number of up to {LENGTH_MAX - 1} digits")
    return str(-_sum(digits + "0") % 10)


def is_valid(number: str) -> bool:
    """Whether the last digit fits the others; spaces and hyphens between groups are overlooked."""
    digits = plain(number)
    usual = digits.isascii() and digits.isdigit() and 2 <= len(digits) <= LENGTH_MAX
    return usual and _sum(digits) % 10 == 0


def generate(prefix: str, number: int, *, length: int = 16) -> str:
    """The card number `number` of a series: prefix, running number filled with zeros, check digit; `length` in all.

    Raises ValueError for a number that the series has no room for.
    """
    room = length - len(prefix) - 1
    body = f"{number:0{max(room, 1)}d}"
    if number < 0 or room < 1 or len(body) > room:
        raise ValueError(f"the series {prefix}... of {length} digits has no room for number {number}")
    return prefix + body + check_digit(prefix + body)


def plain(number: str) -> str:
    """The number as it is stored: without the spaces and hyphens that printed cards show."""
    return number.replace(" ", "").replace("-", "")


def _sum(digits: str) -> int:
    """Every second digit from the right but one doubled, digits of products added."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total
