"""The words of the page: the same things in both languages, and each in its own."""

import re

import pytest

from app.dashboard.asset import ASSETS

ENTRY = re.compile(r'^  "?([\w.]+)"?: "(.*)",$', re.MULTILINE)
VALUE = re.compile(r"\{(\w+)(?::[^}]+)?\}")
NOUNS = {"noun", "nouns", "Nouns"}
HANGUL = re.compile(r"[\u3131-\u318e\uac00-\ud7a3]")
LATIN = {"drift.psi", "drift.statistic", "nats"}
"""What Korean writes as English does: names of measures, and a unit."""
ADDRESSED = re.compile(r"DUBITO_\w+=?\w*|PUT /predictions/\{id\}/outcome")
TERMS = re.compile(
    r"PSI|KS|DTI|BLAS|API|F1|nat|PUT|p값|JSON|CSV|true|false|Ctrl\+Enter|[45]xx"
    r"|\d{4}-\d\d-\d\dT[\d:]+Z"
)
"""Terms of the trade that Korean texts write in Latin letters."""
OLD = {
    "english.js": (
        *("doubt", "nobody waits", "reckon", "whisker", "quiet", "http interface"),
        *("what was sent", "training saw", "like this one", "slip", "anew", "put in its place"),
    ),
    "korean.js": ("의심", "묻기", "지켜보", "내트", "수염", "약속", "값어치", "울렸", "총연체금액"),
}
"""Words that readers stumbled over."""


def entries(name: str) -> dict[str, str]:
    """A language's words by their keys."""
    return dict(ENTRY.findall((ASSETS / name).read_text(encoding="utf-8")))


def values(text: str) -> set[str]:
    """What a text has put into it, but for the noun, which not every language says."""
    return {name for name in VALUE.findall(text) if name not in NOUNS}


def test_both_languages_say_the_same_things() -> None:
    """English and Korean have the same keys, and name the same values."""
    english, korean = entries("english.js"), entries("korean.js")
    assert len(english) > 200
    assert list(english) == list(korean)
    differing = [key for key in english if values(english[key]) != values(korean[key])]
    assert [] == differing


def test_every_entry_is_read() -> None:
    """The files hold nothing but entries of one line, so that these tests see them all."""
    for name in ("english.js", "korean.js"):
        text = (ASSETS / name).read_text(encoding="utf-8")
        assert len(ENTRY.findall(text)) == text.count('",\n')


def test_english_has_no_hangul() -> None:
    """Nothing of Korean stands on the English page."""
    assert [] == [key for key, text in entries("english.js").items() if HANGUL.search(text)]


def test_korean_is_korean() -> None:
    """What has letters has Korean ones; Latin ones are terms, addresses and settings alone."""
    for key, text in entries("korean.js").items():
        own = VALUE.sub("", ADDRESSED.sub("", text))
        if re.search("[A-Za-z]", own) and not HANGUL.search(own):
            assert key in LATIN, key
        assert not re.search("[A-Za-z]", TERMS.sub("", own)), key


@pytest.mark.parametrize("name", sorted(OLD))
def test_no_word_is_of_before(name: str) -> None:
    """Words that were replaced stand nowhere any more."""
    texts = entries(name).values()
    assert [] == [text for text in texts for word in OLD[name] if word in text.lower()]
