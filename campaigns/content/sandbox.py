"""Pure: the Jinja2 environments templates run in: nothing but values of plain dicts and lists is reachable.

Stricter and faster than Jinja2's own sandbox: `a.b` is a key and never a Python attribute (Jinja2 asks the object
first, so a dict's method hides its key), nothing can be called, operators work on numbers only. A missing value may
be asked for its truth (`{% if customer.first_name %}`) and given a default; printing, comparing or walking it is an
error.
"""

import operator
from collections.abc import Callable
from decimal import DivisionByZero, InvalidOperation, Overflow
from types import CodeType
from typing import Any, NoReturn

from jinja2 import Template, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError
from jinja2.runtime import LoopContext, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, _escape_inner, escape  # type: ignore[attr-defined]

from campaigns.content import filters
from campaigns.content.formats import Formats, to_number
from campaigns.content.grammar import TESTS
from campaigns.content.values import Missing
from campaigns.content.vocabulary import LOOP

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {"+": operator.add, "-": operator.sub, "/": operator.truediv}


class LinkTable(dict[int, str]):
    """The tracked addresses of one message, made when first used; the text part uses those of the HTML part."""

    __slots__ = ("_click", "_dynamic", "_urls")

    def __init__(self, urls: list[str], click: Callable[[int | None, str], str]) -> None:
        self._urls = urls
        self._click = click
        self._dynamic: dict[str, str] = {}

    def __missing__(self, number: int) -> str:
        address = self[number] = self._click(number, self._urls[number])
        return address

    def dynamic(self, value: object) -> str:
        """The tracked form of an address that came from data; `#` if it is not one to follow."""
        address = filters.safe_url(value)
        if not address.startswith(("http:", "https:")):
            return address
        tracked = self._dynamic.get(address)
        if tracked is None:
            tracked = self._dynamic[address] = self._click(None, address)
        return tracked


def _escaped(value: Any) -> str:
    """What is printed into HTML; like markupsafe's escape, without making an object of each piece (half the time)."""
    if type(value) is str:
        return _escape_inner(value)  # type: ignore[no-any-return]
    return value if type(value) is Markup else escape(value)


class _Generator(CodeGenerator):
    """Looks keys up by subscription: `customer.first_name` becomes `customer['first_name']` in the generated code.

    Nothing is computed at compile time: the code serves every locale, and no bomb goes off before the limits stand.
    """

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: Any) -> str:
        if not isinstance(node, nodes.TemplateData):
            raise nodes.Impossible
        return super()._output_child_to_const(node, frame, finalize)

    def visit_Getattr(self, node: nodes.Getattr, frame: Frame) -> None:  # noqa: N802  named by Jinja2
        if isinstance(node.node, nodes.Name) and node.node.name == "loop":
            super().visit_Getattr(node, frame)
        else:
            self.visit(node.node, frame)
            self.write(f"[{node.attr!r}]")

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:  # noqa: N802  named by Jinja2
        own = isinstance(node.node, nodes.Name) and node.node.name == "_links"
        if isinstance(node.arg, nodes.Const) and (own or type(node.arg.value) is str):
            self.visit(node.node, frame)
            self.write(f"[{node.arg.value!r}]")
        else:
            super().visit_Getitem(node, frame)


def _click_html(value: object, links: LinkTable) -> Markup:
    return escape(links.dynamic(value))


def _click_text(value: object, links: LinkTable) -> str:
    return links.dynamic(value)


def _source(value: object) -> Markup:
    address = filters.safe_url(value)
    return escape(address if address.startswith(("http:", "https:")) else "")


def _refuse(*_arguments: object, **_keywords: object) -> NoReturn:
    raise SecurityError("templates call nothing")


class Sandbox(ImmutableSandboxedEnvironment):
    """One environment for a kind of part (HTML or text) and a locale."""

    code_generator_class = _Generator
    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})
    intercepted_unops = frozenset({"-", "+"})

    def __init__(self, *, html: bool, formats: Formats) -> None:
        super().__init__(undefined=Missing, autoescape=html, cache_size=0, auto_reload=False, optimized=False)
        known = self.tests
        self.globals.clear()
        self.tests = {name: known[name] for name in TESTS}
        own = filters.for_html() if html else filters.for_text()
        self.filters = {
            **filters.PLAIN,
            **filters.localized(formats),
            **own,
            "_click": _click_html if html else _click_text,
            "_source": _source,
        }

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, LoopContext) and attribute in LOOP:
            return getattr(obj, attribute)
        return obj if isinstance(obj, Undefined) else Missing(name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, (list, tuple, str)) and type(argument) in (int, slice):
            try:
                return obj[argument]
            except IndexError:
                return Missing(name=f"item {argument}")
        return obj if isinstance(obj, Undefined) else Missing(name=str(argument)[:40])

    def call(self, *_arguments: Any, **_keywords: Any) -> NoReturn:
        _refuse()

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        function = _OPERATORS.get(operator)
        if function is None:
            raise SecurityError(f"the operator {operator} is not for templates")
        for value in (left, right):
            if isinstance(value, Undefined):
                str(value)  # raises with the value's name
        try:
            result = function(to_number(left), to_number(right))
        except (DivisionByZero, InvalidOperation, Overflow, ZeroDivisionError):
            raise filters.FilterError("a division by zero or a number out of range") from None
        return int(result) if type(left) is int and type(right) is int and operator != "/" else to_number(result)

    def call_unop(self, context: Any, operator: str, arg: Any) -> Any:
        if isinstance(arg, Undefined):
            str(arg)
        number = to_number(arg)
        return -number if operator == "-" else number

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return False

    def is_safe_callable(self, obj: Any) -> bool:
        return False

    def load(self, code: CodeType) -> Template:
        """The template of compiled code, its output function ours."""
        template = Template.from_code(self, code, {})
        if self.autoescape:
            template.root_render_func.__globals__["escape"] = _escaped
        return template
