"""The safe subset of regular expressions."""

import time

import pytest

from campaigns.segments.patterns import problem_of


@pytest.mark.parametrize(
    "pattern",
    [
        "^DE$",
        "(?i)gold|silver",
        "^[A-Z]{2}[0-9]{1,3}$",
        "^(?:ab|cd)+$",
        "a.c?",
        "[^@]+@example\\.com",
        "[a\\]]",
        "\\d\\D\\w\\W\\s\\S",
        "[\\d-]",
        "straße",
        "a{0,100}",
    ],
)
def test_allowed(pattern: str) -> None:
    assert problem_of(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("", "is empty"),
        ("a" * 201, "longer than 200"),
        ("(a+)+", "repeats a group that repeats"),
        ("(a*)*b", "repeats a group that repeats"),
        ("((a?)b){2,}", "repeats a group that repeats"),
        ("(?:x|(y{2}))*", "repeats a group that repeats"),
        ("a**", "two quantifiers"),
        ("a+?", "two quantifiers"),
        ("a++", "two quantifiers"),
        ("a{2}{3}", "two quantifiers"),
        ("(a)\\1", "back reference"),
        ("(?=a)", "(?...)"),
        ("(?<!a)b", "(?...)"),
        ("(?P<n>a)", "(?...)"),
        ("a(?i)b", "(?...)"),
        ("[[:alpha:]]", "bracket inside a bracket"),
        ("[", "unclosed bracket"),
        ("[]a]", "empty bracket"),
        ("(a", "unclosed group"),
        ("a)", "not open"),
        ("*a", "nothing to repeat"),
        ("^*", "nothing to repeat"),
        ("a{1001}", "no {m,n}"),
        ("a{101}", "more than 100"),
        ("a{x", "no {m,n}"),
        ("a{3,2}", "no valid"),
        ("\\bword", "not in the safe subset"),
        ("\\", "not in the safe subset"),
        ("[\\W]", "not in the safe subset"),
        ("[\\d-z]", "range that begins"),
        ("[z-a]", "no valid"),
        ("***=a", "nothing to repeat"),
    ],
)
def test_refused(pattern: str, problem: str) -> None:
    assert problem in (problem_of(pattern) or "")


@pytest.mark.parametrize("pattern", ["(" * 100 + ")" * 100, "[" * 200, "\\" * 200, "a|" * 100, "(a|" * 66])
def test_judged_at_once(pattern: str) -> None:
    began = time.process_time()
    problem_of(pattern)
    assert time.process_time() - began < 0.1
