"""What leads the page of measurements says what the reports say, and nothing beyond them."""

from typing import Any

from benchmarks.lead import PLAIN, picture, table


def report(**bars: float) -> dict[str, Any]:
    """A report with such bars; `__` stands for a comma and a space."""
    return {
        "bars": [{"label": name.replace("__", ", "), "value": bars[name]} for name in bars],
    }


def test_without_reports_there_is_the_empty_route_alone() -> None:
    """And no line of the table."""
    assert {PLAIN: 1.0} == picture({})
    assert [] == list(table({}))


def test_peers_are_beside_the_empty_route_by_ours_beside_both() -> None:
    """A peer of half of our rate, where ours is 0.8 of the route's, has 0.4 of it."""
    reports = {
        "serving": report(study__durable=0.6, study__off=0.8),
        "peers": report(Slow__off=4.0, Quick__off=2.0, Quick__durable=1.5),
    }
    assert {
        PLAIN: 1.0,
        "Dubito, not recorded": 0.8,
        "Dubito, recorded durably": 0.6,
        "Slow": 0.2,
        "Quick": 0.4,
    } == picture(reports)
    first, last = (answer for _, answer in table(reports))
    assert "0.60" in first
    assert "0.80" in first
    assert "0.40 (Quick); Dubito, durable, has 1.5 times that" == last


def test_a_line_without_names_has_the_least_and_the_greatest() -> None:
    """Of all that was measured, so that none is left out."""
    ((_, answer),) = table({"beside": report(one=1.3, two=2.4, three=1.7)})
    assert "1.3 to 2.4" == answer
