"""Jinja2 for templates that we did not write.

The sandbox keeps a template away from Python; `template_budget` bounds its work. What is not counted:
comparing large inputs and looking for something in them, which is one step however large they are.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial, wraps
from types import GeneratorType
from typing import Any

import orjson
from jinja2 import Template, nodes
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment
from jinja2.visitor import NodeTransformer

from schemas.jinja import UnfoldedCode
from schemas.simple_template import Part, read_simple
from schemas.template_budget import (
    CURRENT,
    MAX_CHARS,
    MAX_STEPS,
    Budget,
    TemplateLimit,
    check_amplifier,
    check_length,
    check_method,
    check_operator,
    weigh,
)

Render = Callable[[Mapping[str, Any]], str]

_PLAIN_NODES = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem,
    nodes.If, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Test,
    nodes.Filter,
)  # fmt: skip
_PLAIN_FILTERS = frozenset({
    "tojson", "upper", "lower", "trim", "length", "count", "default", "d", "float", "int", "string", "title",
    "capitalize", "e", "escape", "safe", "first", "last", "abs", "round", "list", "truncate", "striptags",
})  # fmt: skip


# Names of filters that the transformed templates use, and that no template can write.
_STEP, _JOINED = " step", " joined"


class _Environment(SandboxedEnvironment):
    """Counts steps. Lists may be appended to, as templates made for Dify do: they get copies."""

    code_generator_class = UnfoldedCode
    intercepted_binops = frozenset({"*", "**", "%", "+"})

    def __init__(self) -> None:
        super().__init__(optimized=False, finalize=_printed)
        self.filters = {name: _guarded(name, apply) for name, apply in self.filters.items()}
        self.filters["random"] = _guarded("random", _chosen)
        del self.globals["lipsum"]
        self.filters |= {_STEP: _step, _JOINED: _joined}

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        return tree if is_plain(tree) else _Counting().visit(tree)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """See `SandboxedEnvironment`."""
        check_operator(operator, left, right)
        return super().call_binop(context, operator, left, right)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """See `SandboxedEnvironment`: called for every attribute, it knows `format` of strings."""
        apply = super().wrap_str_format(value)
        if apply is None:
            return None
        check_amplifier(value.__name__, value.__self__, ())

        def formatted(*args: Any, **kwargs: Any) -> str:
            weigh([args, kwargs])
            return apply(*args, **kwargs)

        return formatted

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """See `SandboxedEnvironment`, from which the odd names come."""
        CURRENT.get().spend(1)
        if isinstance(getattr(__obj, "__self__", None), str | list | dict):
            check_method(__obj.__self__, __obj.__name__, [*args, *kwargs.values()])
        return super().call(__context, __obj, *args, **kwargs)


class _Counting(NodeTransformer):
    """Adds a step to each round of a loop and each call of a macro, and guards `~`."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        """A round."""
        return self._with_step(node)

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:
        """A call."""
        return self._with_step(node)

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.Node:
        """A call."""
        return self._with_step(node)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        """`a ~ b`."""
        self.generic_visit(node)
        return _filter(nodes.List(node.nodes), _JOINED)

    def _with_step(self, node: Any) -> nodes.Node:
        self.generic_visit(node)
        node.body.insert(0, nodes.Output([_filter(nodes.Const(""), _STEP)], lineno=node.lineno))
        return node  # type: ignore[no-any-return]


def _filter(value: nodes.Expr, name: str) -> nodes.Filter:
    return nodes.Filter(value, name, [], [], None, None)


def compile_template(source: str, max_steps: int = MAX_STEPS) -> Render:
    """The template as a function of its variables. It raises `TemplateLimit`, or what the template raises."""
    parts = read_simple(source)
    return _compiled(source, max_steps) if parts is None else partial(_simple, parts, max_steps)


def _simple(parts: Sequence[Part], max_steps: int, variables: Mapping[str, Any]) -> str:
    token = CURRENT.set(Budget(max_steps))
    try:
        return _bounded(part if isinstance(part, str) else _shown(part, variables) for part in parts)
    finally:
        CURRENT.reset(token)


def _shown(path: tuple[str, ...], variables: Mapping[str, Any]) -> str:
    """What Jinja2 writes for `{{ a.b.c }}`."""
    name = path[0]
    value = variables[name] if name in variables else _ENVIRONMENT.undefined(name=name)
    for attribute in path[1:]:
        value = _ENVIRONMENT.getattr(value, attribute)
    return str(_printed(value))


def _compiled(source: str, max_steps: int) -> Render:
    tree = _ENVIRONMENT.parse(source)
    has_calls = tree.find(nodes.Call) is not None
    template = Template.from_code(_ENVIRONMENT, _ENVIRONMENT.compile(tree), {})
    fixed = dict(_ENVIRONMENT.globals)

    def render(variables: Mapping[str, Any]) -> str:
        # A template that calls methods may change what it is given, and others are given the same values.
        given = orjson.loads(orjson.dumps(variables)) if has_calls else variables
        token = CURRENT.set(Budget(max_steps))
        try:
            context = template.new_context({**fixed, **given}, shared=True)
            return _bounded(template.root_render_func(context))
        finally:
            CURRENT.reset(token)

    return render


def is_plain(tree: nodes.Template) -> bool:
    """Whether the length of the template and the size of its variables bound the work: no loops, no calls."""
    stack: list[nodes.Node] = [tree]
    while stack:
        node = stack.pop()
        if not isinstance(node, _PLAIN_NODES) or (
            isinstance(node, nodes.Filter) and node.name not in _PLAIN_FILTERS
        ):
            return False
        stack.extend(node.iter_child_nodes())
    return True


def _bounded(chunks: Iterable[str]) -> str:
    written: list[str] = []
    length = 0
    for chunk in chunks:
        written.append(chunk)
        length += len(chunk)
        if length > MAX_CHARS:
            raise TemplateLimit(f"output is longer than {MAX_CHARS} characters")
    return "".join(written)


def _printed(value: Any) -> Any:
    """What is about to be written: a list may hold another one many times over."""
    if type(value) is list or type(value) is dict or type(value) is tuple:
        weigh(value)
    return value


def _guarded(name: str, apply: Callable[..., Any]) -> Callable[..., Any]:
    """The filter, which spends what its arguments weigh and cannot make a small value much larger."""
    skip = 1 if hasattr(apply, "jinja_pass_arg") else 0

    @wraps(apply)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        given = [*args[skip:], *kwargs.values()]
        weigh(given)
        check_amplifier(name, given[0], given[1:])
        result = apply(*args, **kwargs)
        return _counted(result) if isinstance(result, GeneratorType) else result

    return guarded


def _counted(items: Iterable[Any]) -> Iterator[Any]:
    for item in items:
        CURRENT.get().spend(1)
        yield item


def _chosen(items: Any) -> Any:
    """`random`, which has to choose the same again when a command is replayed."""
    found = list(items)
    return found[zlib.crc32(repr(found).encode()) % len(found)] if found else None


def _step(_: str) -> str:
    CURRENT.get().spend(1)
    return ""


def _joined(parts: list[Any]) -> str:
    weigh(parts)
    texts = [str(part) for part in parts]
    check_length(sum(map(len, texts)))
    return "".join(texts)


_ENVIRONMENT = _Environment()
