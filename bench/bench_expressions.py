"""What expressions cost to compile and to evaluate, beside the library's own evaluator.

    python bench/bench_expressions.py [--feed tests/data/usgs_all_week.geojson]

Processor time, the best of five rounds, so that other work on the machine counts little. Goals: a simple expression under 60 µs to evaluate and
300 µs to compile; a filter over the earthquake feed in milliseconds.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipaas.definition.expressions import ExpressionCompiler, Names
from ipaas.model import Place

if TYPE_CHECKING:
    from collections.abc import Callable

FEED = Path(__file__).parent.parent / "tests" / "data" / "usgs_all_week.geojson"

EVALUATIONS = (
    ("order.total > inputs.minimum", 5000),
    ("size(feed)", 5000),
    ("feed.filter(q, q.properties.mag != null && q.properties.mag >= 4.5).size()", 3),
    ("numbers.filter(i, i > 5).size()", 3),
)


def measure(run: Callable[[int], object], count: int) -> float:
    """Return microseconds of processor time for each of `count` calls."""
    rounds = []
    for attempt in range(5):
        begin = time.process_time()
        for number in range(count):
            run(attempt * count + number)
        rounds.append((time.process_time() - begin) / count * 1e6)
    return min(rounds)


def main() -> None:
    """Measure, and print a table."""
    arguments = argparse.ArgumentParser(description="cost of expressions")
    arguments.add_argument("--feed", type=Path, default=FEED)
    feed = json.loads(arguments.parse_args().feed.read_text(encoding="utf-8"))["features"]
    scope: dict[str, Any] = {
        "order": {"total": 3},
        "inputs": {"minimum": 2},
        "feed": feed,
        "numbers": list(range(8000)),
    }
    compiler = ExpressionCompiler(Names(roots={name: {} for name in scope}, steps={}, unreachable={}))
    place = Place("bench.yaml")

    print(f"{'evaluate, µs':<78}{'ours':>10}{'library':>12}")
    for text, count in EVALUATIONS:
        expression = compiler.compile(text, lambda _: place).expression
        assert expression is not None
        ours = measure(lambda _, run=expression: run.evaluate(scope), count)  # type: ignore[misc]  # a default binds the loop's value
        theirs = measure(make_library_run(text, scope), min(count, 20))
        print(f"{text:<78}{ours:>10.1f}{theirs:>12.1f}")

    print(f"\n{'compile, µs':<78}{'ours':>10}")
    for template in (
        "order.total > {}",
        "feed.filter(q, q.mag > {} && q.place != 'x').map(q, q.place)",
        "order.total > inputs.minimum",
    ):
        cost = measure(lambda number, text=template: compiler.compile(text.format(number), lambda _: place), 300)  # type: ignore[misc]  # as above
        print(f"{template:<78}{cost:>10.1f}")


def make_library_run(text: str, scope: dict[str, Any]) -> Callable[[int], object]:
    """Return an evaluation by the library, which converts what the text names each time."""
    from cel_expr_python import cel

    expression = cel.NewEnv(variables=dict.fromkeys(scope, cel.Type.DYN)).compile(text)
    named = {name: value for name, value in scope.items() if name in text}
    return lambda _: expression.eval(data=named).plain_value()


if __name__ == "__main__":
    main()
