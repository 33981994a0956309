"""Pure: documents written as YAML for people: a stable order of fields, short things on one line, long text in
blocks."""

import re
from collections.abc import Iterable
from typing import Any

import yaml

LINE_MAX = 110
INLINE_MAX = 100

# Fields that have a natural place, from first to last; all others follow as they come. What a segment's leaf or a
# flow's step is comes before what it is compared with, because a leaf is named by its first field.
ORDER = (
    *("id", "type", "name", "description", "campaign", "channel", "provider", "sender", "purpose"),
    *("all", "any", "none", "not", "attribute", "event", "sequence", "segment", "list", "consent", "reachable", "geo"),
    *("bucket", "points", "tier", "insight", "message", "segment_entered", "segment_left", "schedule", "date", "api"),
    *("reply", "of", "count", "sum", "avg", "min", "max", "first", "last", "days", "eq", "ne", "gt", "gte"),
    *("lt", "lte", "in", "not_in", "contains", "starts_with", "ends_with", "matches", "is_set", "before", "after"),
    *(
        "from",
        "within",
        "where",
        "for",
        "until",
        "at",
        "entry",
        "reentry",
        "exit_on",
        "goal",
        "value",
        "holdout",
        "template",
    ),
    *("when", "to", "happened", "timeout", "branches", "otherwise", "next", "exits", "steps", "host", "port"),
    *("security", "username", "password_env", "from_name", "from_email", "reply_to", "settings", "limits", "rule"),
    *("subject", "preheader", "body", "text", "en", "de", "locales"),
)
HEAD = ("kind", "key")
# Fields whose entries stay as people ordered them: a template's first locale serves whoever speaks none of the others.
UNORDERED = ("locales",)
_RANKS = {name: rank for rank, name in enumerate(ORDER)}


def ordered(value: Any, *, first: tuple[str, ...] = (), under: str = "") -> Any:
    """The value with the fields of every mapping in human order, `first` ahead of all in the outermost; `under` is the
    field that holds it.
    """
    if isinstance(value, dict):
        ranks = _RANKS | {name: place - len(first) for place, name in enumerate(first)}
        names = value if under in UNORDERED else sorted(value, key=lambda name: ranks.get(name, len(ORDER)))
        return {name: ordered(value[name], under=name) for name in names}
    if isinstance(value, list | tuple):
        return [ordered(item) for item in value]
    return value


def write(documents: Iterable[dict[str, Any]]) -> str:
    """YAML text of the documents, which `document_text.read` reads back as they are."""
    return yaml.dump_all(
        [ordered(document, first=HEAD) for document in documents],
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=LINE_MAX,
        default_flow_style=False,
        explicit_start=True,
    )


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        # Lists stand indented below their field.
        super().increase_indent(flow, False)

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:
        node = super().represent_mapping(tag, mapping, flow_style)
        top = isinstance(mapping, dict) and "kind" in mapping and "key" in mapping
        node.flow_style = not top and _inline([part for pair in node.value for part in pair])
        return node

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:
        node = super().represent_sequence(tag, sequence, flow_style)
        mappings = any(isinstance(part, yaml.MappingNode) for part in node.value)
        node.flow_style = not mappings and _inline(node.value)
        return node


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar(
        "tag:yaml.org,2002:str", value, style="|" if "\n" in value or len(value) > LINE_MAX else None
    )


def _inline(parts: list[yaml.Node]) -> bool:
    """Whether the parts of a collection fit on one line together."""
    if any(part.style == "|" if isinstance(part, yaml.ScalarNode) else not _is_inline(part) for part in parts):
        return False
    return sum(_length(part) for part in parts) <= INLINE_MAX


def _is_inline(node: yaml.Node) -> bool:
    return isinstance(node, yaml.CollectionNode) and bool(node.flow_style)


def _length(node: yaml.Node) -> int:
    if isinstance(node, yaml.ScalarNode):
        return len(node.value) + 2
    inner = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
    return 2 + sum(_length(part) for part in inner)


_Dumper.add_representer(str, _text)
# YAML 1.1, which the dumper minds, takes 1e5 for text, our reader for a number: quote what either would not read as
# text.
_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$"), list("-0123456789")
)
