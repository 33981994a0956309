"""Pure: halving. A batch that fails is split until the one bad item stands alone; the others go on."""

from collections.abc import Callable


def halve(
    low: int,
    high: int,
    *,
    run: Callable[[int, int], int],
    reject: Callable[[int, Exception], None],
    failures: tuple[type[Exception], ...],
) -> int:
    """Run `run(low, high)` over the half-open range; on one of `failures` run both halves instead.

    `run` must undo itself when it raises (a savepoint) and returns how much it did; `reject` takes an item that fails
    alone, with its exception. Returns the sum. Costs about 2 log2(n) extra runs per bad item.
    """
    done = 0
    stack = [(low, high)]
    while stack:
        low, high = stack.pop()
        if low >= high:
            continue
        try:
            done += run(low, high)
        except failures as error:
            if high - low == 1:
                reject(low, error)
                continue
            middle = (low + high) // 2
            stack += [(middle, high), (low, middle)]
    return done
