"""Pure: the part of Jinja2's language that templates have, as classes of its tree, and what to say of the rest."""

from collections.abc import Iterator

from jinja2 import nodes

TESTS = frozenset(
    [
        "defined",
        "undefined",
        "string",
        "number",
        "iterable",
        "sequence",
        "mapping",
        "odd",
        "even",
        "eq",
        "equalto",
        "ne",
        "lt",
        "lessthan",
        "le",
        "gt",
        "greaterthan",
        "ge",
        "in",
        "true",
        "false",
        "boolean",
        "lower",
        "upper",
        "divisibleby",
        "==",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
    ]
)
ALLOWED: tuple[type[nodes.Node], ...] = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem,
    nodes.Filter,
    nodes.Test, nodes.If, nodes.For, nodes.Assign, nodes.CondExpr, nodes.And, nodes.Or, nodes.Not, nodes.Compare,
    nodes.Operand,
    nodes.Add, nodes.Sub, nodes.Div, nodes.Concat, nodes.Neg, nodes.Pos, nodes.List, nodes.Tuple, nodes.Keyword,
    nodes.Slice,
)  # fmt: skip
REFUSED = {
    nodes.Call: ("calls something, which templates may not", "use a filter, such as {{ name | upper }}"),
    nodes.Mul: ("uses *, which templates may not", "write {{ value | times(2) }}"),
    nodes.Pow: ("uses **, which templates may not", "reckon it before it reaches the template"),
    nodes.Mod: ("uses %, which templates may not", "use a filter such as number, money or date"),
    nodes.FloorDiv: ("uses //, which templates may not", "write {{ (a / b) | int }}"),
    nodes.FilterBlock: ("uses a filter block, which templates may not", "use the filter on each value"),
    nodes.AssignBlock: ("uses a set block, which templates may not", "write {% set name = value %}"),
    nodes.With: ("uses with, which templates may not", "write {% set name = value %}"),
    nodes.Dict: ("builds a dictionary, which templates may not", "send the values with the event"),
    nodes.Include: ("uses include, which templates may not", "put the text into this template"),
    nodes.Extends: ("uses extends, which templates may not", "put the layout into this template"),
    nodes.Import: ("uses import, which templates may not", "put the text into this template"),
    nodes.FromImport: ("uses import, which templates may not", "put the text into this template"),
    nodes.Macro: ("defines a macro, which templates may not", "repeat the text, or use a for loop"),
    nodes.CallBlock: ("uses a call block, which templates may not", "repeat the text, or use a for loop"),
    nodes.Block: ("defines a block, which templates may not", "write the text in place"),
    nodes.NSRef: ("sets a value inside an object, which templates may not", "write {% set name = value %}"),
    nodes.ScopedEvalContextModifier: ("switches escaping, which templates may not", "remove autoescape"),
    nodes.EvalContextModifier: ("switches escaping, which templates may not", "remove autoescape"),
}


def path_of(node: nodes.Node) -> tuple[str, ...] | None:
    """`customer.first_name` as its parts; None if the expression is no plain path."""
    parts: list[str] = []
    while True:
        if isinstance(node, nodes.Getattr):
            parts.append(node.attr)
            node = node.node
        elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
            parts.append(str(node.arg.value))
            node = node.node
        elif isinstance(node, nodes.Name):
            return (node.name, *reversed(parts))
        else:
            return None


def secured_by(test: nodes.Node) -> Iterator[tuple[str, ...]]:
    """The paths that have a value wherever this condition holds."""
    if isinstance(test, nodes.And):
        yield from secured_by(test.left)
        yield from secured_by(test.right)
    elif isinstance(test, nodes.Test) and test.name == "defined":
        test = test.node
        if path := path_of(test):
            yield path
    elif path := path_of(test):
        yield path
