"""Measures every statement of the study: writes `docs/study.md`.

`make bench ONLY=study`. Some minutes on two cores; the seeds are fixed.
"""

import time
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from benchmarks.lessons import dropout, passes, penalties, validation
from benchmarks.lessons.line import Line
from dubito.engine.arithmetic import pin_arithmetic

PAGE = Path("docs/study.md")
HEAD = """# The study, sentence by sentence

What the study states, and what its statements look like here: on 10,000 Lending Club loans (6,400
fitted, 1,600 for validation, 2,000 held out), or on the values named. `make bench ONLY=study`
writes this page; the tests named check the same at every change.
"""
SECTIONS = {
    "Many degrees of freedom": validation.lines,
    "L1 and L2": penalties.lines,
    "Dropout": dropout.lines,
    "Monte-Carlo dropout": passes.lines,
}


def main() -> None:
    """Measure section by section, then write the page."""
    pin_arithmetic()
    start = time.perf_counter()
    text = [HEAD]
    for title, lines in SECTIONS.items():
        text.append(f"## {title}\n\n{''.join(_rows(lines()))}")
        print(f"{title}: {time.perf_counter() - start:.0f} s", flush=True)
    PAGE.write_text("\n".join(text), encoding="utf-8")
    print(PAGE)


def _rows(lines: Iterable[Line]) -> Iterable[str]:
    head = ("| the study states | here | test |\n", "| --- | --- | --- |\n")
    return chain(
        head, (f"| {line.statement} | {line.figure} | {_tests(line)} |\n" for line in lines)
    )


def _tests(line: Line) -> str:
    return "<br>".join(_link(test) for test in line.tests)


def _link(test: str) -> str:
    file, _, function = test.partition("::")
    return f"[{function or Path(file).stem}](../tests/{file})"


if __name__ == "__main__":
    main()
