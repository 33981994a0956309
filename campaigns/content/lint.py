"""Pure: what a template may contain, checked before anything of it runs.

An allow-list over Jinja2's parsed tree: whatever is not named here is refused, with its line and a remedy, and all
mistakes are told at once. It keeps out calls, attributes of Python objects, repetition and growth; the sandbox and
the limits behind it hold even if something is missed here.
"""

import difflib
import re
from dataclasses import dataclass, field

from jinja2 import Environment, TemplateSyntaxError, nodes

from campaigns.content.filters import SIGNATURES
from campaigns.content.grammar import ALLOWED, REFUSED, TESTS, path_of, secured_by
from campaigns.content.vocabulary import LOOP, Vocabulary
from loyalty.kit.problems import Problem

SOURCE_MAX = 200_000
NODES_MAX = 5_000
DEPTH_MAX = 50
_GROWING = (nodes.Concat, nodes.Add, nodes.Filter, nodes.List, nodes.Tuple)
_UNSENDABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_RAW = re.compile(r"\{%[-+]?\s*raw\b")
_parser = Environment()  # noqa: S701  parses only; rendering is done by the sandbox


@dataclass(slots=True)
class Linted:
    """`problems` refuse the template; `warnings` say where a customer without a value gets no message.

    `always` are the plain names used outside every condition and loop; `names` all roots used anywhere, with one key
    beneath.
    """

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    always: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)


def lint(source: str, *, where: str, vocabulary: Vocabulary) -> Linted:
    """Check one part; `where` is its place in the document, such as `locales.de.subject`."""
    result = Linted()
    if len(source) > SOURCE_MAX:
        result.problems.append(Problem(where, f"is longer than {SOURCE_MAX:,} characters", "shorten it"))
        return result
    if bad := _UNSENDABLE.search(source):
        place = f"{where} line {source.count(chr(10), 0, bad.start()) + 1}"
        found = f"holds the character U+{ord(bad.group()):04X}, which no message can carry"
        result.problems.append(Problem(place, found, "remove it"))
        return result
    if raw := _RAW.search(source):
        line = source.count("\n", 0, raw.start()) + 1
        result.problems.append(Problem(f"{where} line {line}", "uses raw, which templates may not", "write {{ '{{' }}"))
    try:
        tree = _parser.parse(source)
    except TemplateSyntaxError as error:
        line, text = error.lineno, (error.message or "is not valid Jinja2")[:300]
        result.problems.append(Problem(f"{where} line {line}", f"does not compile: {text}", _syntax_remedy(text)))
        return result
    except (RecursionError, ValueError, MemoryError, OverflowError):
        result.problems.append(
            Problem(where, "does not compile: it is nested too deeply or holds an impossible number", "simplify it")
        )
        return result
    if size := _too_big(tree):
        result.problems.append(Problem(where, size, "split or simplify the template"))
        return result
    _Walk(result, where, vocabulary).statements(tree.body)
    result.problems = list(dict.fromkeys(result.problems))
    result.warnings = list(dict.fromkeys(result.warnings))
    return result


def _syntax_remedy(text: str) -> str:
    if "unknown tag" in text:
        return "known tags are if, elif, else, for and set, each closed by its end tag"
    return "check the delimiters and the spelling"


def _too_big(tree: nodes.Node) -> str | None:
    count = 0
    level: list[nodes.Node] = [tree]
    for _depth in range(DEPTH_MAX):
        count += len(level)
        if count > NODES_MAX:
            return f"has more than {NODES_MAX:,} elements"
        level = [child for node in level for child in node.iter_child_nodes()]
        if not level:
            return None
    return f"is nested more than {DEPTH_MAX} levels deep"


class _Walk:
    """One walk over a part: `local` are loop and set names, `secured` paths a surrounding condition vouches for."""

    def __init__(self, result: Linted, where: str, vocabulary: Vocabulary) -> None:
        self.result = result
        self.where = where
        self.vocabulary = vocabulary
        self.local: set[str] = set()
        self.assigned: set[str] = set()
        self.secured: set[tuple[str, ...]] = set()
        self.in_loop = False
        self.branches = 0

    def refuse(self, node: nodes.Node, problem: str, remedy: str) -> None:
        place = f"{self.where} line {node.lineno}" if node.lineno else self.where
        self.result.problems.append(Problem(place, problem, remedy))

    def statements(self, body: list[nodes.Node]) -> None:
        for node in body:
            if isinstance(node, nodes.If):
                self.condition(node)
            elif isinstance(node, nodes.For):
                self.loop(node)
            elif isinstance(node, nodes.Assign):
                self.assignment(node)
            elif isinstance(node, nodes.Output):
                for child in node.nodes:
                    self.printed(child)
            elif isinstance(node, nodes.Scope):
                self.statements(node.body)
            else:
                self.expression(node)

    def printed(self, node: nodes.Node) -> None:
        path = path_of(node)
        if path and len(path) == 1 and path[0] in self.vocabulary.beneath and path[0] not in self.local:
            self.refuse(node, f"prints the whole of {path[0]!r}", f"name one value, such as {path[0]}.name")
        self.expression(node)

    def condition(self, node: nodes.If) -> None:
        self.expression(node.test, tested=True)
        self.branches += 1
        before = set(self.secured)
        self.secured |= set(secured_by(node.test))
        self.statements(node.body)
        self.secured = before
        for branch in node.elif_:
            self.condition(branch)
        self.statements(node.else_)
        self.branches -= 1

    def loop(self, node: nodes.For) -> None:
        if self.in_loop:
            self.refuse(
                node,
                "is a loop inside a loop, which templates may not",
                "show one list; prepare nested ones in the event",
            )
        if node.recursive:
            self.refuse(node, "is a recursive loop, which templates may not", "remove recursive")
        self.expression(node.iter)
        names = self.targets(node.target)
        outer, local, self.in_loop = self.in_loop, set(self.local), True
        self.local |= {*names, "loop"}
        self.branches += 1
        if node.test:
            self.expression(node.test, tested=True)
        self.statements(node.body)
        self.in_loop, self.local = outer, local
        self.statements(node.else_)
        self.branches -= 1

    def targets(self, target: nodes.Node) -> list[str]:
        found = target.items if isinstance(target, nodes.Tuple) else [target]
        names = []
        for item in found:
            if not isinstance(item, nodes.Name):
                self.refuse(target, "assigns to something that is no plain name", "write {% set name = value %}")
            elif self.vocabulary.knows(item.name) or item.name == "loop" or item.name.startswith("_"):
                self.refuse(item, f"takes the name {item.name!r} for its own value", "choose another name")
            else:
                names.append(item.name)
        return names

    def assignment(self, node: nodes.Assign) -> None:
        self.expression(node.node)
        if self._grows(node.node, False):
            self.refuse(
                node,
                "builds a value from one that was set before, which lets it grow without bounds",
                "print the parts one after another",
            )
        if isinstance(node.target, nodes.Tuple):
            self.refuse(node, "sets several names at once", "use one set for each")
        for name in self.targets(node.target):
            if name in self.assigned:
                self.refuse(node, f"sets {name!r} a second time", "use a new name")
            self.assigned.add(name)
            self.local.add(name)

    def _grows(self, node: nodes.Node, growing: bool) -> bool:
        if isinstance(node, nodes.Name):
            return growing and node.name in self.assigned
        growing = growing or isinstance(node, _GROWING)
        return any(self._grows(child, growing) for child in node.iter_child_nodes())

    def expression(self, node: nodes.Node, *, excused: bool = False, tested: bool = False) -> None:
        """`excused`: a default or a test for presence stands around it; `tested`: only its truth is asked for."""
        if isinstance(node, (nodes.Name, nodes.Getattr, nodes.Getitem)):
            self.lookup(node, excused, tested)
        elif isinstance(node, nodes.Filter):
            self.filter(node, excused)
        elif isinstance(node, nodes.Test):
            self.test(node)
        elif isinstance(node, nodes.CondExpr):
            self.choice(node)
        elif isinstance(node, nodes.Const):
            self.constant(node)
        elif type(node) in REFUSED:
            self.refuse(node, *REFUSED[type(node)])
        elif not isinstance(node, ALLOWED):
            self.refuse(node, f"uses {type(node).__name__.lower()}, which templates may not", "remove it")
        else:
            inherit = tested and isinstance(node, (nodes.And, nodes.Or, nodes.Not))
            before = set(self.secured)
            for child in node.iter_child_nodes():
                self.expression(child, tested=inherit)
                if isinstance(node, nodes.And):
                    self.secured |= set(secured_by(child))
            self.secured = before

    def choice(self, node: nodes.CondExpr) -> None:
        self.expression(node.test, tested=True)
        before = set(self.secured)
        self.secured |= set(secured_by(node.test))
        self.branches += 1
        self.expression(node.expr1)
        self.secured = before
        if node.expr2 is None:
            self.refuse(node, "has no else, so it may have no value", "write {{ a if b else '' }}")
        else:
            self.expression(node.expr2)
        self.branches -= 1

    def constant(self, node: nodes.Const) -> None:
        if isinstance(node.value, (int, float)) and not -1e15 <= node.value <= 1e15:
            self.refuse(node, "holds a number that is too large", "use a number below 1e15")

    def lookup(self, node: nodes.Node, excused: bool, tested: bool) -> None:
        inner = node
        while isinstance(inner, (nodes.Getattr, nodes.Getitem)):
            if isinstance(inner, nodes.Getattr):
                self.key(inner, inner.attr)
            elif isinstance(inner.arg, nodes.Slice):
                for bound in inner.arg.iter_child_nodes():
                    if not isinstance(bound, nodes.Const):
                        self.refuse(inner, "cuts a list at a computed place", "use plain numbers, such as [:3]")
            elif isinstance(inner.arg, nodes.Const) and isinstance(inner.arg.value, (str, int)):
                self.key(inner, str(inner.arg.value))
            else:
                self.refuse(
                    inner, "looks something up by a computed name", "write the name, such as customer.first_name"
                )
            inner = inner.node
        if not isinstance(inner, nodes.Name):
            self.expression(inner, excused=excused)
        elif path := path_of(node):
            self.known(node, path, excused, tested)
        else:
            self.known(node, (inner.name,), excused, tested)

    def key(self, node: nodes.Node, name: str) -> None:
        if name.startswith("_"):
            self.refuse(
                node, f"looks up {name!r}; names with a leading underscore are not for templates", "use a plain name"
            )

    def known(self, node: nodes.Node, path: tuple[str, ...], excused: bool, tested: bool) -> None:
        root = path[0]
        self.result.names.add(".".join(path[:2]))
        if not self.branches:
            self.result.always.add(".".join(path[:2]))
        if root == "loop" and root in self.local:
            if len(path) != 2 or path[1] not in LOOP:
                self.refuse(
                    node, "asks the loop for something it does not tell", f"a loop tells {', '.join(sorted(LOOP))}"
                )
            return
        if root in self.local:
            return
        held = excused or any(path[: len(vouched)] == vouched for vouched in self.secured)
        if root.startswith("_"):
            self.refuse(node, f"uses the name {root!r}", "names with a leading underscore are not for templates")
        elif not self.vocabulary.knows(root):
            if not held:
                self.refuse(
                    node, f"uses the unknown name {root!r}", _meant(root, self.vocabulary.names, "add | default('...')")
                )
        elif len(path) > 1:
            self.beneath(node, path, held, tested)

    def beneath(self, node: nodes.Node, path: tuple[str, ...], held: bool, tested: bool) -> None:
        keys = self.vocabulary.beneath.get(path[0], frozenset())
        name = ".".join(path[:2])
        if keys is not None and path[1] not in keys:
            if not held:
                remedy = _meant(path[1], sorted(keys), "add | default('...')", prefix=path[0] + ".")
                self.refuse(node, f"uses the unknown name {name!r}", remedy)
        elif not held and not tested and path[0] != "flow":
            place = f"{self.where} line {node.lineno}"
            self.result.warnings.append(
                Problem(
                    place, f"{name} has no default: who lacks it gets no message (render_error)", "add | default('...')"
                )
            )

    def filter(self, node: nodes.Filter, excused: bool) -> None:
        bounds = SIGNATURES.get(node.name)
        given = len(node.args) + len(node.kwargs)
        if bounds is None:
            remedy = _meant(node.name, sorted(SIGNATURES), f"known filters: {', '.join(sorted(SIGNATURES))}")
            self.refuse(node, f"uses the filter {node.name!r}, which templates may not", remedy)
        elif node.dyn_args or node.dyn_kwargs:
            self.refuse(node, f"gives the filter {node.name!r} computed arguments", "write them out")
        elif not bounds[0] <= given <= bounds[1]:
            least, most = bounds
            wanted = str(least) if least == most else f"{least} to {most}"
            self.refuse(node, f"gives the filter {node.name!r} {given} arguments", f"it takes {wanted}")
        if node.node is not None:
            self.expression(node.node, excused=excused or node.name in ("default", "d"))
        for argument in node.args:
            self.expression(argument)
        for keyword in node.kwargs:
            self.expression(keyword.value)

    def test(self, node: nodes.Test) -> None:
        if node.name not in TESTS:
            self.refuse(
                node,
                f"uses the test {node.name!r}, which templates may not",
                _meant(node.name, sorted(TESTS), "use is defined"),
            )
        self.expression(node.node, excused=node.name in ("defined", "undefined"))
        for argument in node.args:
            self.expression(argument)


def _meant(name: str, known: list[str], otherwise: str, prefix: str = "") -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {prefix}{close[0]}? Otherwise {otherwise}" if close else otherwise
