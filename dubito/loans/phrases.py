"""Text about loans and their network for model cards, in English and Korean."""

from collections.abc import Mapping

from dubito.layout import CardWords, Language

NOTES = (
    "A grade says nothing about whether a loan should be granted.",
    "What was paid is known only once a loan runs: the grade describes a loan, not an applicant.",
)
KOREAN_NOTES = (
    "등급은 대출을 승인해야 하는지에 대해 아무것도 말하지 않습니다.",
    "상환한 금액은 대출이 실행된 뒤에야 알 수 있습니다. 등급은 신청인이 아니라 대출을 설명합니다.",
)
WORDS: Mapping[Language, CardWords] = {
    "en": CardWords("loans", NOTES),
    "ko": CardWords("대출", KOREAN_NOTES),
}

GRADER: Mapping[Language, str] = {
    "en": "The {kept} hypotheses about a loan that fit best, scored by layers of {scored} and "
    "{judged} units (dropout {judged_rate:g}, one mask for a row's hypotheses), and a general "
    "view of {general} units (dropout {general_rate:g})",
    "ko": "대출에 가장 잘 맞는 가설 {kept}개를 {scored}개와 {judged}개 유닛의 층으로 평가하고(드롭"
    "아웃 {judged_rate:g}, 한 행의 가설들은 같은 마스크), {general}개 유닛의 전체 보기를 더합니다"
    "(드롭아웃 {general_rate:g})",
}
"""Templates of the description of `dubito.loans.grader`'s network, by language; fields of `Sizes`
fill them."""
