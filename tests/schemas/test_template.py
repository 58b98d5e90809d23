"""Templates stay within their bounds, in milliseconds, whatever they try."""

import pytest
from jinja2.exceptions import SecurityError, UndefinedError

from schemas.template import compile_template
from schemas.template_budget import TemplateLimit

DOUBLE = "{% for i in range(60) %}{% set ns.x = "
GREEDY = [
    "{{ 'x'|center(10**8) }}",
    "{{ 'x'.center(100000000) }}",
    "{{ 'x'.zfill(width) }}",
    "{{ 'x' * 100000000 }}",
    "{{ 100000000 * ['x'] }}",
    "{% filter center(1000000000) %}x{% endfilter %}",
    "{{ list|map('center', 1000000000)|list }}",
    "{{ {'a': 1}|tojson(indent=100000000) }}",
    "{{ ('a\n' * 10000)|indent(100000) }}",
    "{{ ('a' * 100000)|wordwrap(1, wrapstring='b' * 1000) }}",
    "{{ '\t'.expandtabs(100000000) }}",
    "{{ list|batch(100000000, 'x')|list }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '%*d' % (1000000000, 1) }}",
    "{{ '%1000000000d'|format(1) }}",
    "{{ '{:1000000000}'.format(1) }}",
    "{{ '{:{}}'.format(1, 1000000000) }}",
    "{{ '{a:{w}}'.format_map({'a': 1, 'w': 1000000000}) }}",
    "{% set ns = namespace(x=[1]) %}" + DOUBLE + "[ns.x, ns.x] %}{% endfor %}{{ '{}'.format(ns.x) }}",
    "{% set ns = namespace(x=[1]) %}" + DOUBLE + "[ns.x, ns.x] %}{% endfor %}{{ '%s' % ns.x }}",
    "{{ 9 ** 99999 ** 9 }}",
    "{{ (2 ** 9000) * (2 ** 9000) }}",
    "{% set ns = namespace(x='aa') %}" + DOUBLE + "ns.x ~ ns.x %}{% endfor %}{{ ns.x|length }}",
    "{% set ns = namespace(x='aa') %}" + DOUBLE + "ns.x + ns.x %}{% endfor %}{{ ns.x|length }}",
    "{% set ns = namespace(x='aa') %}" + DOUBLE + "[ns.x, ns.x]|join %}{% endfor %}{{ ns.x|length }}",
    "{% set ns = namespace(x='aa') %}" + DOUBLE + "''.join([ns.x, ns.x]) %}{% endfor %}{{ ns.x|length }}",
    "{% set ns = namespace(x='aa') %}" + DOUBLE + "ns.x|replace('a', 'aa') %}{% endfor %}{{ ns.x|length }}",
    "{% set ns = namespace(x='aa') %}" + DOUBLE + "ns.x.replace('a', 'aa') %}{% endfor %}{{ ns.x|length }}",
    "{% set ns = namespace(x=[1]) %}" + DOUBLE + "ns.x + ns.x %}{% endfor %}{{ ns.x|length }}",
    "{% set ns = namespace(x=[1]) %}" + DOUBLE + "[ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
    "{% set ns = namespace(x=[1]) %}" + DOUBLE + "[ns.x, ns.x] %}{% endfor %}{{ ns.x|tojson }}",
    "{% set ns = namespace(x=[1]) %}" + DOUBLE + "[ns.x, ns.x] %}{% endfor %}{{ ns.x ~ '' }}",
    "{% set l = [1] %}{% for i in range(60) %}{% set _ = l.extend(l) %}{% endfor %}",
    "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
    "{% for a in range(9999) %}{% set _ = range(9999)|list|sort %}{% endfor %}",
    "{% for a in range(9999) %}{% set _ = range(9999)|map('abs')|sum %}{% endfor %}",
    "{% macro f(n) %}{% if n > 0 %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(50) }}",
    "{% macro f(n) %}{% for i in range(9) %}{{ caller() }}{% endfor %}{% endmacro %}"
    "{% call f(1) %}{% call f(1) %}{% call f(1) %}{% call f(1) %}{% call f(1) %}x{% endcall %}"
    "{% endcall %}{% endcall %}{% endcall %}{% endcall %}",
    "{% for i in range(9999) %}{{ 'x' * 1000 }}{% endfor %}",
    "{{ long }}{{ long }}",
]


@pytest.mark.parametrize("source", GREEDY)
def test_bounded(source: str) -> None:
    variables = {"list": ["a"] * 5, "width": 100_000_000, "long": "x" * 300_000}
    with pytest.raises(TemplateLimit):
        compile_template(source, max_steps=5_000)(variables)


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ x.__class__.__base__ }}",
        "{{ '{0.__class__.__mro__}'.format(1) }}",
        "{{ lipsum() }}",
        "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{% include 'x' %}",
        "{{ x.append.__self__.pop }}",
    ],
)
def test_out_of_reach(source: str) -> None:
    with pytest.raises((SecurityError, UndefinedError, RecursionError, TypeError)):
        compile_template(source)({"x": []})


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("{{ 'a'|upper|center(5) }}", "  A  "),
        ("{{ '%05.2f'|format(3.14159) }} {{ '%s-%s' % (1, 2) }} {{ '{:>3}'.format(1) }}", "03.14 1-2   1"),
        ("{{ list|batch(2)|list }}", "[['a', 'b'], ['c']]"),
        ("{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m(1) }}", "<1>"),
        ("{% set l = [] %}{% for a in list %}{% set _ = l.append(a) %}{% endfor %}{{l}}", "['a', 'b', 'c']"),
        ("{{ list|map('upper')|join('+') }} {{ list|sort(reverse=true)|first }}", "A+B+C c"),
        ("{{ 2 ** 10 }} {{ (list|length * 3 + 1) % 4 }} {{ [1] + [2] }}", "1024 2 [1, 2]"),
        ("{{ {'a': [1, none]} }} {{ (1, 2) }}", "{'a': [1, None]} (1, 2)"),
        ("{% for k, v in {'x': 1}.items() %}{{ k }}{{ v }}{% endfor %}", "x1"),
        ("{% for x in list if x != 'b' %}{{ x }}{% else %}none{% endfor %}", "ac"),
    ],
)  # fmt: skip
def test_what_templates_do_still_works(source: str, output: str) -> None:
    given = {"list": ["a", "b", "c"]}
    assert compile_template(source)(given) == output
    assert given == {"list": ["a", "b", "c"]}


def test_building_a_list_of_thousands_is_well_within_the_bounds() -> None:
    append = (
        "{% set l = [] %}{% for i in range(5000) %}{% set _ = l.append(i ~ '') %}{% endfor %}{{ l|length }}"
    )
    assert compile_template(append)({}) == "5000"
    update = (
        "{% set d = {} %}{% for i in range(5000) %}{% set _ = d.update({i: 1}) %}{% endfor %}{{ d|length }}"
    )
    assert compile_template(update)({}) == "5000"


def test_a_template_that_changes_what_it_is_given_changes_a_copy() -> None:
    given = {"list": ["a"]}
    assert compile_template("{% set _ = list.append('b') %}{{ list }}")(given) == "['a', 'b']"
    assert given == {"list": ["a"]}


def test_random_is_the_same_when_it_is_asked_again() -> None:
    render = compile_template("{{ list|random }}{{ []|random }}")
    assert len({render({"list": [1, 2, 3]}) for _ in range(20)}) == 1
