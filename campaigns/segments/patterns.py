"""Pure: the regular expressions that a rule may use: a subset that no input can make slow, alike in PostgreSQL and
Python.

Literals, `.`, `^`, `$`, `|`, groups, brackets, `\\d \\w \\s` and their opposites, the quantifiers `? * + {m,n}`, and
`(?i)` in front. Not: back references, look-around, a quantifier around a quantifier (`(a+)+`), named groups, POSIX
brackets.
"""

import re

MAX_LENGTH = 200
# PostgreSQL expands a{n} into n states; with one level of quantifiers 200 characters stay small.
MAX_REPEAT = 100
_COUNTED = re.compile(r"\{(\d{1,3})(,(\d{0,3}))?\}", re.ASCII)
_CLASSES = "dwsDWS"


def problem_of(pattern: str) -> str | None:
    """What is wrong with the pattern, or None when it may be used."""
    if not pattern:
        return "is empty"
    if len(pattern) > MAX_LENGTH:
        return f"is longer than {MAX_LENGTH} characters"
    body = pattern.removeprefix("(?i)")
    try:
        _Scanner(body).run()
        re.compile(body)
    except _Refused as error:
        return str(error)
    except (re.error, RecursionError, OverflowError):
        return "is no valid regular expression"
    return None


class _Refused(ValueError):
    """The pattern uses something outside the subset; the message says what."""


class _Scanner:
    """Walks the pattern once; `quantified` says for each open group whether something in it repeats."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.quantified = [False]
        # What a quantifier here would apply to: "" nothing, "atom", "group" (plain), "repeating" (a group with a
        # quantifier).
        self.last = ""

    def run(self) -> None:
        while self.at < len(self.pattern):
            char = self.pattern[self.at]
            if char == "\\":
                self._escape(in_brackets=False)
            elif char == "[":
                self._brackets()
            elif char == "(":
                self._open()
            elif char == ")":
                self._close()
            elif char in "*+?{":
                self._quantifier(char)
            else:
                self.last = "" if char in "^$|" else "atom"
                self.at += 1
        if len(self.quantified) > 1:
            raise _Refused("has an unclosed group")

    def _escape(self, *, in_brackets: bool) -> None:
        follower = self.pattern[self.at + 1 : self.at + 2]
        if follower.isdigit():
            raise _Refused("uses a back reference")
        classes = "dws" if in_brackets else _CLASSES
        if not follower or (follower.isalnum() and follower not in classes):
            raise _Refused(f"uses \\{follower}, which is not in the safe subset")
        self.at += 2
        self.last = "atom"

    def _brackets(self) -> None:
        self.at += 1
        if self.pattern[self.at : self.at + 1] == "^":
            self.at += 1
        start = self.at
        while True:
            char = self.pattern[self.at : self.at + 1]
            if not char:
                raise _Refused("has an unclosed bracket")
            if char == "]" and self.at > start:
                break
            if char == "]":
                raise _Refused("has an empty bracket")
            if char == "[":
                raise _Refused("uses a bracket inside a bracket; write it as \\[")
            if char == "\\":
                self._escape(in_brackets=True)
                if self.pattern[self.at : self.at + 1] == "-" and self.pattern[self.at + 1 : self.at + 2] != "]":
                    raise _Refused("has a range that begins with a \\ escape")
            else:
                self.at += 1
        self.at += 1
        self.last = "atom"

    def _open(self) -> None:
        self.at += 1
        if self.pattern[self.at : self.at + 1] == "?":
            if self.pattern[self.at : self.at + 2] != "?:":
                raise _Refused("uses a (?...) construct; only (?:...) and a leading (?i) are possible")
            self.at += 2
        self.quantified.append(False)
        self.last = ""

    def _close(self) -> None:
        if len(self.quantified) == 1:
            raise _Refused("closes a group that is not open")
        self.at += 1
        repeating = self.quantified.pop()
        self.quantified[-1] = self.quantified[-1] or repeating
        self.last = "repeating" if repeating else "group"

    def _quantifier(self, char: str) -> None:
        if self.last == "":
            raise _Refused(f"has a {char} with nothing to repeat")
        if self.last == "repeating":
            raise _Refused("repeats a group that repeats something itself, which can be very slow")
        if char == "{":
            counted = _COUNTED.match(self.pattern, self.at)
            if counted is None:
                raise _Refused("has a { that is no {m,n}; write it as \\{")
            if max(int(counted[1]), int(counted[3] or 0)) > MAX_REPEAT:
                raise _Refused(f"repeats more than {MAX_REPEAT} times")
            self.at = counted.end()
        else:
            self.at += 1
        if self.pattern[self.at : self.at + 1] in ("?", "+", "*", "{"):
            raise _Refused("has two quantifiers in a row")
        self.quantified[-1] = True
        self.last = ""
