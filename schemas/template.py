"""Jinja2 for templates that we did not write.

The sandbox keeps a template away from Python; `work_budget` bounds its work: it is told of whatever may
take more than a moment, or more than a little memory, before that is done.
"""

import operator
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial, wraps
from types import GeneratorType
from typing import Any

import orjson
from jinja2 import Template, nodes, pass_environment
from jinja2.filters import make_attrgetter
from jinja2.runtime import Context, Macro
from jinja2.sandbox import SandboxedEnvironment
from jinja2.visitor import NodeTransformer

from schemas.addressed import text_of, worded
from schemas.jinja import UnfoldedCode, check_size
from schemas.simple_template import Part, read_simple
from schemas.work_budget import (
    CURRENT,
    MAX_CHARS,
    MAX_STEPS,
    PER_STEP,
    TooMuchWork,
    check_amplifier,
    check_comparison,
    check_copied,
    check_filter,
    check_format,
    check_length,
    check_method,
    check_operator,
    weigh,
    within,
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


_OF_TEXTS = frozenset({
    "string", "e", "escape", "forceescape", "safe", "upper", "lower", "trim", "title", "capitalize",
    "replace", "center", "urlencode", "striptags", "urlize", "format",
})  # fmt: skip
"""Filters that make a text of whatever they are given."""


# Names of filters that the transformed templates use, and that no template can write.
_STEP, _JOINED, _COMPARED, _WEIGHED, _COPIED = " step", " joined", " compared", " weighed", " copied"

_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "lteq": operator.le,
    "gt": operator.gt,
    "gteq": operator.ge,
    "in": lambda item, items: item in items,
    "notin": lambda item, items: item not in items,
}
_TESTS = {
    **dict.fromkeys(("==", "eq", "equalto"), "eq"),
    **dict.fromkeys(("!=", "ne"), "ne"),
    **dict.fromkeys(("<", "lt", "lessthan"), "lt"),
    **dict.fromkeys(("<=", "le"), "lteq"),
    **dict.fromkeys((">", "gt", "greaterthan"), "gt"),
    **dict.fromkeys((">=", "ge"), "gteq"),
    "in": "in",
}
"""Names of tests -> operator."""

_UNSAFE = frozenset({"translate", "maketrans", "fromkeys", "fromhex", "from_bytes"})
"""Methods that make much of little, and for which no template has a use."""


class _Environment(SandboxedEnvironment):
    """Counts steps. Lists may be appended to, as templates made for Dify do: they get copies."""

    code_generator_class = UnfoldedCode
    intercepted_binops = frozenset({"*", "**", "%", "+"})

    def __init__(self) -> None:
        super().__init__(optimized=False, finalize=_printed)
        self.filters |= {"random": _chosen, "sum": _summed}
        self.filters = {name: _guarded(name, apply) for name, apply in self.filters.items()}
        del self.globals["lipsum"]
        self.filters |= {
            _STEP: _step, _JOINED: _joined, _COMPARED: _compared, _WEIGHED: _weighed, _COPIED: _copied,
        }  # fmt: skip
        self.tests |= {name: _test(operator) for name, operator in _TESTS.items()}

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        return tree if is_plain(tree) else _Counting().visit(tree)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """See `SandboxedEnvironment`."""
        return attr not in _UNSAFE and super().is_safe_attribute(obj, attr, value)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """See `SandboxedEnvironment`."""
        if isinstance(argument, tuple):
            weigh(argument)
        return super().getitem(obj, argument)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """See `SandboxedEnvironment`."""
        check_operator(operator, left, right)
        if operator == "%" and isinstance(left, str):
            right = tuple(map(worded, right)) if isinstance(right, tuple) else worded(right)
        return super().call_binop(context, operator, left, right)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """See `SandboxedEnvironment`: called for every attribute, it knows `format` of strings."""
        apply = super().wrap_str_format(value)
        if apply is None:
            return None

        def formatted(*args: Any, **kwargs: Any) -> str:
            check_format(value.__self__, [args, kwargs])
            return apply(*map(worded, args), **{name: worded(value) for name, value in kwargs.items()})

        return formatted

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """See `SandboxedEnvironment`, from which the odd names come."""
        CURRENT.get().spend(1)
        owner = getattr(__obj, "__self__", None)
        if isinstance(owner, str | bytes | int | list | dict | tuple):
            if __obj.__name__ == "join" and args:
                args = (_listed(args[0]), *args[1:])
            check_method(owner, __obj.__name__, [*args, *kwargs.values()])
        elif not isinstance(__obj, Macro):
            weigh([args, kwargs])
        return super().call(__context, __obj, *args, **kwargs)


class _Counting(NodeTransformer):
    """Adds a step to each round of a loop and each call of a macro, and guards what no environment sees."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        """A round, and an element that is looked at and left out."""
        if node.test is not None:
            node.test = nodes.Or(_step_of(0), node.test)
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

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        """`a == b`, `a in b`; `a < b < c`."""
        self.generic_visit(node)
        if len(node.ops) == 1:
            return _filter(nodes.Const(node.ops[0].op), _COMPARED, node.expr, node.ops[0].expr)
        node.expr = _filter(node.expr, _WEIGHED)
        for operand in node.ops:
            operand.expr = _filter(operand.expr, _WEIGHED)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        """`a[1:]`."""
        self.generic_visit(node)
        return _filter(node, _COPIED) if isinstance(node.arg, nodes.Slice) else node

    def visit_Pair(self, node: nodes.Pair) -> nodes.Node:
        """`{a: b}`, of which `a` is hashed: a tuple each time anew."""
        self.generic_visit(node)
        if not isinstance(node.key, nodes.Const):
            node.key = _filter(node.key, _WEIGHED)
        return node

    def _with_step(self, node: Any) -> nodes.Node:
        written = sum(len(text.data) for text in node.find_all(nodes.TemplateData))
        self.generic_visit(node)
        node.body.insert(0, nodes.Output([_step_of(written)], lineno=node.lineno))
        return node  # type: ignore[no-any-return]


def _filter(value: nodes.Expr, name: str, *args: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(value, name, list(args), [], None, None)


def _step_of(written: int) -> nodes.Filter:
    """A step in which so many characters of the template are written."""
    return _filter(nodes.Const(written), _STEP)


def compile_template(source: str, max_steps: int = MAX_STEPS) -> Render:
    """The template as a function of its variables. It raises `TooMuchWork`, or what the template raises."""
    parts = read_simple(source)
    return _compiled(source, max_steps) if parts is None else partial(_simple, parts, max_steps)


def _simple(parts: Sequence[Part], max_steps: int, variables: Mapping[str, Any]) -> str:
    chunks = (part if isinstance(part, str) else _shown(part, variables) for part in parts)
    return within(max_steps, _bounded, chunks)


def _shown(path: tuple[str, ...], variables: Mapping[str, Any]) -> str:
    """What Jinja2 writes for `{{ a.b.c }}`."""
    name = path[0]
    value = variables[name] if name in variables else _ENVIRONMENT.undefined(name=name)
    for attribute in path[1:]:
        value = _ENVIRONMENT.getattr(value, attribute)
    return str(_printed(value))


def _compiled(source: str, max_steps: int) -> Render:
    check_size(_ENVIRONMENT, source)
    tree = _ENVIRONMENT.parse(source)
    has_calls = tree.find(nodes.Call) is not None
    template = Template.from_code(_ENVIRONMENT, _ENVIRONMENT.compile(tree), {})
    fixed = dict(_ENVIRONMENT.globals)

    def render(variables: Mapping[str, Any]) -> str:
        # A template that calls methods may change what it is given, and others are given the same values.
        given = orjson.loads(orjson.dumps(variables)) if has_calls else variables
        context = template.new_context({**fixed, **given}, shared=True)
        return within(max_steps, _bounded, template.root_render_func(context))

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
    """Joins what is made only now."""
    written: list[str] = []
    length = 0
    for chunk in chunks:
        written.append(chunk)
        length += len(chunk)
        if length > MAX_CHARS:
            raise TooMuchWork(f"output is longer than {MAX_CHARS} characters")
    return "".join(written)


def _printed(value: Any) -> Any:
    """What is about to be written: a list may hold another one many times over, a block keeps all of it."""
    kind = type(value)
    if kind is list or kind is dict or kind is tuple:
        weigh(value)
        return text_of(value)
    if isinstance(value, str):
        check_copied(value)
        return value
    return worded(value)


def _guarded(name: str, apply: Callable[..., Any]) -> Callable[..., Any]:
    """The filter, which spends what its arguments weigh and cannot make a small value much larger."""
    skip = 1 if hasattr(apply, "jinja_pass_arg") else 0

    @wraps(apply)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if name == "join":
            args = (*args[:skip], [worded(item) for item in args[skip]], *args[skip + 1 :])
        elif name in _OF_TEXTS:
            args = (*args[:skip], worded(args[skip]), *args[skip + 1 :])
        given = [*args[skip:], *kwargs.values()]
        if name == "format":
            check_format(str(given[0]), given[1:])
        else:
            weigh(given)
            check_filter(name, given[0])
            check_amplifier(name, given[0], given[1:])
        result = apply(*args, **kwargs)
        return _counted(result) if isinstance(result, GeneratorType) else result

    return guarded


def _counted(items: Iterable[Any]) -> Iterator[Any]:
    for item in items:
        CURRENT.get().spend(1)
        yield item


def _listed(items: Any) -> Any:
    """What is to be joined, so that it can be looked at before that."""
    return items if isinstance(items, list | tuple) else list(items)


def _chosen(items: Any) -> Any:
    """`random`, which has to choose the same again when a command is replayed."""
    found = list(items)
    return found[zlib.crc32(text_of(found).encode()) % len(found)] if found else None


@pass_environment
def _summed(
    environment: SandboxedEnvironment,
    items: Iterable[Any],
    attribute: str | int | None = None,
    start: Any = 0,
) -> Any:
    """`sum`, which copies what it has so far with each list that it adds."""
    for item in items if attribute is None else map(make_attrgetter(environment, attribute), items):
        check_operator("+", start, item)
        start = start + item
    return start


def _step(written: int) -> str:
    CURRENT.get().spend(1 + written // PER_STEP)
    return ""


def _compared(operator: str, left: Any, right: Any) -> Any:
    check_comparison(operator, left, right)
    return _OPERATORS[operator](left, right)


def _test(operator: str) -> Callable[[Any, Any], Any]:
    return lambda left, right: _compared(operator, left, right)


def _weighed(value: Any) -> Any:
    weigh(value)
    return value


def _copied(made: Any) -> Any:
    check_copied(made)
    return made


def _joined(parts: list[Any]) -> str:
    weigh(parts)
    texts = [text_of(part) for part in parts]
    check_length(sum(map(len, texts)))
    return "".join(texts)


_ENVIRONMENT = _Environment()
