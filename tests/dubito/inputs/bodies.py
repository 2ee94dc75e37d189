"""Loans as bodies: a usual one, the names of its features, and mutations that nobody wrote."""

import json
import random
import re

KOREAN = {
    "loan_amount": "대출금액",
    "annual_income": "연간소득",
    "debt_to_income": "부채_대비_소득_비율",
    "total_credit_lines": "총계좌수",
    "delinq_2y": "최근_2년간_연체_횟수",
    "paid_principal": "총상환원금",
    "paid_interest": "총상환이자",
    "paid_late_fees": "총연체금액",
    "current_accounts_delinq": "연체계좌수",
}
"""Name of a feature to its other one, in the order of both."""
LOAN: dict[str, float | None] = {
    "loan_amount": 12000,
    "annual_income": 96000,
    "debt_to_income": 8.6,
    "total_credit_lines": 14,
    "delinq_2y": 0,
    "paid_principal": 773.87,
    "paid_interest": 126.62,
    "paid_late_fees": 0,
    "current_accounts_delinq": 0,
}
"""The design page's loan."""
TOKENS = (
    b'{ } [ ] : , " \\ null true false NaN Infinity -Infinity 1e999 -1 0 -0.0 1e-400 14.5 12000 '
    b'"instances" "\\u0069nstances" "\\ud800" "\\udc00" {} [] [[]] {"a":1} "" "1" 1_0 0x1 '
    b"9007199254740993 \xff \xed\xa0\x80 \xef\xbb\xbf \x00 \xf0\x9f\x98\x80 // /**/ ' e E + - ."
).split(b" ")
NAMES = [json.dumps(name, ensure_ascii=False).encode() for pair in KOREAN.items() for name in pair]
TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|[a-zA-Z]+|[{}\[\]:,]')


def by_bytes(body: bytes, chance: random.Random) -> bytes:
    """A few bytes flipped, inserted, left out, doubled, or the rest cut off."""
    data = bytearray(body)
    for _ in range(chance.choice((1, 1, 1, 2, 8))):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(6):
            case 0 if at < len(data):
                data[at] ^= 1 << chance.randrange(8)
            case 1 if at < len(data):
                data[at] = chance.randrange(256)
            case 2:
                data[at:at] = chance.randbytes(chance.randrange(1, 5))
            case 3:
                del data[at : at + chance.randrange(1, 9)]
            case 4:
                data[at:at] = data[at : at + chance.randrange(1, 40)]
            case 5 if chance.random() < 0.3:
                del data[at:]
            case _:
                pass
    return bytes(data)


def by_tokens(body: bytes, chance: random.Random) -> bytes:
    """A few tokens exchanged, inserted, left out, doubled, or nested."""
    tokens = TOKEN.findall(body)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        words = [at for at, token in enumerate(tokens) if token not in b"{}[]:,"] or [0]
        at = chance.choice(words)
        other = chance.choice((chance.choice(TOKENS), chance.choice(NAMES), chance.choice(tokens)))
        match chance.randrange(8):
            case 0 | 1 | 2 | 3:
                tokens[at] = other
            case 4:
                tokens.insert(chance.randrange(len(tokens)), other)
            case 5 if len(tokens) > 1:
                del tokens[chance.randrange(len(tokens))]
            case 6:
                tokens[at:at] = tokens[at : at + 4 * chance.randrange(1, 4)]
            case _:
                levels = chance.choice((1, 20, 200, 3000))
                tokens[at] = b"[" * levels + tokens[at] + b"]" * levels
    return b"".join(tokens)
