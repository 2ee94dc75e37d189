"""Templates of the model card's sentences, in English and Korean, for `str.format`."""

from collections.abc import Mapping
from dataclasses import dataclass

from dubito.layout import Language
from dubito.targets import NumberHead


@dataclass(frozen=True, slots=True)
class NumberPhrases:
    """Templates of one language for bundles that predict a number."""

    summary: str
    heads: Mapping[NumberHead, str]
    """Meaning of each head."""
    target_heads: tuple[str, ...]
    metrics: Mapping[str, str]
    """Meaning of each metric, by its name."""
    evaluation: str
    intervals: str
    calibrated: str
    promises: str
    band: str
    caution: str


@dataclass(frozen=True, slots=True)
class Phrases:
    """Templates of one language."""

    language: Language
    title: str
    digest: str
    summary: str
    purpose: str
    unlike: str
    features: str
    feature_heads: tuple[str, ...]
    feature_heads_converted: tuple[str, ...]
    seen: str
    always: str
    norms: str
    imputed: str
    not_allowed: str
    replaced: str
    unknown: str
    missing: str
    usual: str
    own_slot: str
    held_out: str
    figure_heads: tuple[str, ...]
    metrics: Mapping[str, str]
    """Meaning of each metric, by its name."""
    evaluation: str
    sets: str
    calibrated: str
    promises: str
    average: str
    cases: str
    promise_heads: tuple[str, ...]
    band_heads: tuple[str, ...]
    band: str
    of_held_out: str
    held_out_heads: tuple[str, ...]
    measures: Mapping[str, str]
    """Meaning of each metric of sets, decisions and uncertainty, by its name; the name of a metric
    of one method continues with `_` and the method, which is not part of the key."""
    of_method: str
    training: str
    data: str
    parts: str
    parts_calibrated: str
    recipe: str
    layers: str
    encoded: str
    penalty: str
    fitting: str
    decay: str
    momentum: str
    averaged: str
    ensemble: str
    stopping: str
    versions: str
    origin: str
    converted: str
    kept: str
    tempered: str
    figures: str
    no_classes: str
    on_rows: str
    their_word: str
    rows: str
    """Noun for rows where no domain supplies its own."""
    number: NumberPhrases


ENGLISH = Phrases(
    language="en",
    title="# {name}, version {version}",
    digest="Digest: `{digest}`",
    summary="Classifies rows of {features} features into {classes} with Monte-Carlo dropout: "
    "{weights:,} weights, {passes} passes by default.",
    purpose="## What it is for",
    unlike="None of the figures below says how it does on rows unlike those it was trained on.",
    features="## Features",
    feature_heads=("feature", "also", "unit", "training saw", "missing"),
    feature_heads_converted=("feature", "also", "unit", "the rows have", "missing"),
    seen="{minimum:,.12g} to {maximum:,.12g}",
    always="always {minimum:,.12g}",
    norms="{shape} numbers, norms {minimum:,.6g} to {maximum:,.6g}",
    imputed="becomes {value:g}",
    not_allowed="not allowed",
    replaced="counts as {value}",
    unknown="unknown",
    missing="missing",
    usual="{imputed}; usual, does not refer the row",
    own_slot="a value of its own",
    held_out="## Held-out figures ({rows:,} rows)",
    figure_heads=("metric", "deterministic", "Monte Carlo", "meaning"),
    metrics={
        "accuracy": "share of rows whose grade is right",
        "macro_f1": "mean F1 over the classes that occur",
        "nll": "negative log likelihood, nats",
        "brier": "Brier score, 0 to 2",
        "ece": "expected calibration error, 15 bins",
        "auroc": "chance that a row of the second class ranks above one of the first",
    },
    evaluation="Monte Carlo: mean of {passes} passes, seed 0. The rows were neither fitted nor "
    "chosen on. Rows by class: {listed}.",
    sets="## Sets and decisions",
    calibrated="Calibrated on {rows:,} rows with {passes} passes; fewer passes promise nothing. "
    "Prediction sets: {methods}; coverage {coverage:g} unless asked otherwise, on average over "
    "{called} exchangeable with these rows and over their draw.",
    promises="Each line by itself: with {confidence:.0%} confidence over the draw of the "
    "calibration rows, at most the target of the automated grades is wrong, for {called} "
    "exchangeable with them{cases}",
    average=".",
    cases="; and of the least sure of them, the band, at most {limit:.0%}, both at once. No grade "
    "is automated whose mean probability is below {likelihood:g}. The default target is "
    "{target:.1%}.",
    promise_heads=("target", "automated", "wrong among them (calibration rows)"),
    band_heads=("the band", "wrong in it (calibration rows)", "rows wanting"),
    band="{share:.0%} of them: a second grade of {bound:.4f} or more",
    of_held_out="On the held-out rows, each with a seed of its own (`dubito evaluate "
    "{name}/{version}` draws the pictures):",
    held_out_heads=("figure", "held out", "meaning"),
    measures={
        "aurc": "area under risk and coverage, by predictive entropy",
        "aurc_base": "the same by 1 − max probability of one pass without dropout",
        "error_auroc": "chance that a wrong row has more predictive entropy than a right one",
        "ece_chance": "what the calibration error of 95% of perfectly calibrated models is below",
        "ece_equal_mass": "expected calibration error, 15 bins of equal mass",
        "ece_equal_mass_chance": "what that of 95% of perfectly calibrated models is below",
        "automated": "share of rows that is automated at the default target",
        "wrong_automated": "share of those that is wrong",
        "wrong_band": "share of the least sure of those, the band, that is wrong",
        "least_likelihood": "least mean probability of an automated grade",
        "coverage": "share of sets that hold the right class",
        "size": "mean size of a set",
    },
    of_method="{told}, {method}, at the default coverage",
    training="## How it was trained",
    data="On {data}: {rows:,} rows ({parts}), digest `{digest}`.",
    parts="{fitted:,} fitted, {watched:,} for validation",
    parts_calibrated="{fitted:,} fitted, {watched:,} for validation, {held:,} for calibration",
    recipe="{network}; {fitting}, {ending}.",
    layers="Hidden layers of {widths} units ({activation}), dropout {rate:g}",
    encoded=" of columns encoded in slots and pieces",
    penalty=", L1 penalty {l1:g}",
    fitting="{optimizer}, learning rate {learning_rate:g}, {others}batches of {batch}, at most "
    "{epochs} epochs",
    decay="weight decay {weight_decay:g}, ",
    momentum="Nesterov momentum {momentum:g}, ",
    averaged="weights averaged with momentum {momentum}",
    ensemble="It is an ensemble of {members} such networks, trained on the same rows with the "
    "seeds {first} to {last} (Lakshminarayanan et al. 2017): passes alternate between them, and "
    "the deterministic figures are of the mean of their deterministic passes.",
    stopping="early stopping after {patience} without improvement, best weights kept",
    versions="Versions: {listed}.",
    origin="## Where it comes from",
    converted="Converted from `{network}`. It was trained elsewhere. How, on which rows, and "
    "whether the rows below were among them, is for whoever trained it to say. Every dropout "
    "layer was put on for good (Gal & Ghahramani 2016); {changed}. Seeds and split in "
    "`bundle.json` are those of the conversion, 0.",
    kept="no weight was changed",
    tempered="the last layer's logits were divided by a temperature, and no other weight was "
    "changed",
    figures="## Figures",
    no_classes="None: {data}: {rows:,} rows, digest `{digest}`, without classes.",
    on_rows="On {data}: {rows:,} rows, digest `{digest}`. It may have been fitted or calibrated on "
    "some of these rows, which flatters the figures.",
    their_word="That the network was not fitted on these rows is the word of whoever converted "
    "it; no promise holds where it was.",
    rows="rows",
    number=NumberPhrases(
        summary="Predicts {title}{unit} from {features} features with Monte-Carlo dropout: "
        "{weights:,} weights, {passes} passes by default.",
        heads={
            "point": "The network answers the number itself. The std over the passes is what they "
            "disagree about; noise in the data is in the intervals alone.",
            "normal": "The network answers the mean and the variance of a normal distribution.",
            "quantiles": "The network answers the quantiles {levels}; the middle one is the value.",
        },
        target_heads=("number", "unit", "training saw", "median", "standard deviation"),
        metrics={
            "rmse": "root of the mean squared error",
            "mae": "mean absolute error",
            "log_density": "mean predictive log density, nats; it depends on the unit",
        },
        evaluation="Monte Carlo: mean of {passes} passes, seed 0. The rows were neither fitted nor "
        "chosen on.",
        intervals="## Intervals and decisions",
        calibrated="Calibrated on {rows:,} rows with {passes} passes; fewer passes promise "
        "nothing. Intervals: {methods}; by {method} with a coverage of {coverage:g} unless asked "
        "otherwise, on average over {called} exchangeable with these rows and over their draw.",
        promises="Tested on {rows:,} other rows. Each line by itself: with {confidence:.0%} "
        "confidence over the draw of these rows, at most the target of the automated intervals "
        "misses the true number, for {called} exchangeable with them; and of the widest of them, "
        "the band, at most {limit:.0%}, both at once. The default target is {target:.1%}.",
        band="{share:.0%} of them: an interval of a width of {bound:.6g} or more",
        caution="An interval is a promise over many rows, not the chance of one; mean ± 2 std is "
        "none.",
    ),
)

KOREAN = Phrases(
    language="ko",
    title="# {name}, 버전 {version}",
    digest="다이제스트: `{digest}`",
    summary="항목 {features}개로 이루어진 행을 몬테카를로 드롭아웃으로 {classes} 등급으로 "
    "분류합니다. 가중치 {weights:,}개, 기본 반복 {passes}회.",
    purpose="## 용도",
    unlike="아래의 어떤 지표도 학습 데이터와 다른 행에서의 성능을 말해 주지 않습니다.",
    features="## 항목",
    feature_heads=("항목", "다른 이름", "단위", "학습 데이터의 범위", "빈 값"),
    feature_heads_converted=("항목", "다른 이름", "단위", "자료의 범위", "빈 값"),
    seen="{minimum:,.12g} – {maximum:,.12g}",
    always="항상 {minimum:,.12g}",
    norms="숫자 {shape}개, 노름 {minimum:,.6g}–{maximum:,.6g}",
    imputed="빈 값 대신 {value:g}",
    not_allowed="허용되지 않음",
    replaced="빈 값은 {value}(으)로 봄",
    unknown="알 수 없음",
    missing="빈 값",
    usual="{imputed} (흔하므로 사람에게 넘기지 않음)",
    own_slot="별도의 값",
    held_out="## 학습에 쓰지 않은 자료에서의 지표 ({rows:,}건)",
    figure_heads=("지표", "결정적 예측", "몬테카를로", "뜻"),
    metrics={
        "accuracy": "등급이 맞은 행의 비율",
        "macro_f1": "나타난 등급들의 F1 평균",
        "nll": "음의 로그 가능도, nat",
        "brier": "브라이어 점수, 0에서 2까지",
        "ece": "기대 보정 오차, 구간 15개",
        "auroc": "두 번째 등급의 행이 첫 번째 등급의 행보다 위에 올 확률",
    },
    evaluation="몬테카를로: {passes}회 반복의 평균, 시드 0. 이 행들은 학습에도 선택에도 쓰이지 "
    "않았습니다. 등급별 행 수: {listed}.",
    sets="## 집합과 판단",
    calibrated="{rows:,}건의 보정 자료와 {passes}회 반복으로 보정했습니다. 반복이 그보다 적으면 "
    "아무것도 보장하지 않습니다. 예측 집합: {methods}. 포함률은 따로 요청하지 않으면 "
    "{coverage:g}이며, 보정 자료와 교환 가능한 {called} 전체와 보정 자료의 추출에 대한 평균입니다.",
    promises="각 줄은 따로따로 성립합니다. 보정 자료의 추출에 대해 {confidence:.0%} 신뢰수준으로, "
    "그 자료와 교환 가능한 {called}에서 자동 처리한 등급 중 목표 비율까지만 틀립니다{cases}",
    average=".",
    cases=". 그중 가장 불확실한 구간에서는 최대 {limit:.0%}까지만 틀리며, 두 보장은 함께 "
    "성립합니다. 평균 확률이 {likelihood:g}보다 낮은 등급은 자동 처리하지 않습니다. 기본 목표는 "
    "{target:.1%}입니다.",
    promise_heads=("목표", "자동 처리", "그중 오류 (보정 자료)"),
    band_heads=("가장 불확실한 구간", "그 구간의 오류 (보정 자료)", "부족한 행"),
    band="그중 {share:.0%}: 두 번째 등급의 확률이 {bound:.4f} 이상",
    of_held_out="학습에 쓰지 않은 자료에서, 행마다 다른 시드로 (`dubito evaluate "
    "{name}/{version}` 명령이 그림을 그립니다):",
    held_out_heads=("지표", "값", "뜻"),
    measures={
        "aurc": "예측 엔트로피 순서의 위험-포함률 곡선 아래 넓이",
        "aurc_base": "드롭아웃 없는 한 번의 예측에서 1 − 최대 확률 순서로 같은 넓이",
        "error_auroc": "틀린 행의 예측 엔트로피가 맞은 행보다 클 확률",
        "ece_chance": "완벽하게 보정된 모델의 95%에서 보정 오차가 이 값보다 작음",
        "ece_equal_mass": "기대 보정 오차, 같은 수로 나눈 구간 15개",
        "ece_equal_mass_chance": "완벽하게 보정된 모델의 95%에서 그 오차가 이 값보다 작음",
        "automated": "기본 목표에서 자동 처리되는 행의 비율",
        "wrong_automated": "그중 틀린 비율",
        "wrong_band": "그중 가장 불확실한 구간에서 틀린 비율",
        "least_likelihood": "자동 처리된 등급의 가장 낮은 평균 확률",
        "coverage": "맞는 등급을 포함한 집합의 비율",
        "size": "집합의 평균 크기",
    },
    of_method="{told}, {method}, 기본 포함률",
    training="## 학습 방법",
    data="{data}: {rows:,}건 ({parts}), 다이제스트 `{digest}`.",
    parts="학습 {fitted:,}, 검증 {watched:,}",
    parts_calibrated="학습 {fitted:,}, 검증 {watched:,}, 보정 {held:,}",
    recipe="{network}. {fitting}, {ending}.",
    layers="은닉층 유닛 {widths}개({activation}), 드롭아웃 {rate:g}",
    encoded=", 열은 자리와 구간으로 부호화",
    penalty=", L1 벌점 {l1:g}",
    fitting="{optimizer}, 학습률 {learning_rate:g}, {others}배치 {batch}, 최대 {epochs} 에포크",
    decay="가중치 감쇠 {weight_decay:g}, ",
    momentum="네스테로프 모멘텀 {momentum:g}, ",
    averaged="가중치의 이동 평균(모멘텀 {momentum})",
    ensemble="이런 신경망 {members}개를 같은 자료로, 시드 {first}부터 {last}까지 따로 학습해 묶은 "
    "앙상블입니다(Lakshminarayanan et al. 2017). 패스는 신경망을 번갈아 쓰고, 결정적 수치는 각 "
    "신경망의 결정적 출력을 평균한 것입니다.",
    stopping="{patience} 에포크 동안 나아지지 않으면 조기 종료, 가장 좋은 가중치 유지",
    versions="소프트웨어 버전: {listed}.",
    origin="## 출처",
    converted="`{network}`에서 변환했습니다. 학습은 다른 곳에서 이루어졌습니다. 어떻게, 어떤 "
    "자료로 학습했는지, 아래 자료가 거기에 들어 있었는지는 학습한 사람만 말할 수 있습니다. 모든 "
    "드롭아웃 층은 늘 켜져 있게 했고(Gal & Ghahramani 2016), {changed}. `bundle.json`의 시드와 "
    "분할은 변환할 때의 값 0입니다.",
    kept="가중치는 바꾸지 않았습니다",
    tempered="마지막 층의 로짓을 온도로 나누었으며 다른 가중치는 바꾸지 않았습니다",
    figures="## 지표",
    no_classes="없음. {data}: {rows:,}건, 다이제스트 `{digest}`, 등급 없음.",
    on_rows="{data}: {rows:,}건, 다이제스트 `{digest}`. 이 자료의 일부는 모델의 학습이나 보정에 "
    "쓰였을 수 있으며, 그렇다면 지표가 실제보다 좋게 나옵니다.",
    their_word="이 자료가 학습에 쓰이지 않았다는 것은 변환한 사람의 말입니다. 쓰였다면 어떤 보장도 "
    "성립하지 않습니다.",
    rows="행",
    number=NumberPhrases(
        summary="항목 {features}개로 이루어진 행에서 {title}{unit} 값을 몬테카를로 드롭아웃으로 "
        "예측합니다. 가중치 {weights:,}개, 기본 반복 {passes}회.",
        heads={
            "point": "모델은 값 자체를 답합니다. 반복 사이의 표준편차는 모델의 불확실성이며, "
            "자료의 잡음은 구간에만 들어 있습니다.",
            "normal": "모델은 정규분포의 평균과 분산을 답합니다.",
            "quantiles": "모델은 분위수 {levels}을(를) 답하며, 가운데가 예측값입니다.",
        },
        target_heads=("예측값", "단위", "학습 데이터의 범위", "중앙값", "표준편차"),
        metrics={
            "rmse": "평균 제곱 오차의 제곱근",
            "mae": "평균 절대 오차",
            "log_density": "예측 로그 밀도의 평균, nat; 단위에 따라 달라짐",
        },
        evaluation="몬테카를로: {passes}회 반복의 평균, 시드 0. 이 행들은 학습에도 선택에도 쓰이지 "
        "않았습니다.",
        intervals="## 구간과 판단",
        calibrated="{rows:,}건의 보정 자료와 {passes}회 반복으로 보정했습니다. 반복이 그보다 "
        "적으면 아무것도 보장하지 않습니다. 구간: {methods}. 따로 요청하지 않으면 {method} 방법과 "
        "포함률 {coverage:g}을(를) 쓰며, 보정 자료와 교환 가능한 {called} 전체와 보정 자료의 "
        "추출에 대한 평균입니다.",
        promises="다른 {rows:,}건으로 검정했습니다. 각 줄은 따로따로 성립합니다. 이 자료의 추출에 "
        "대해 {confidence:.0%} 신뢰수준으로, 그 자료와 교환 가능한 {called}에서 자동 처리한 구간 "
        "중 목표 비율까지만 실제 값을 벗어납니다. 그중 가장 넓은 구간들에서는 최대 "
        "{limit:.0%}까지만 벗어나며, 두 보장은 함께 성립합니다. 기본 목표는 {target:.1%}입니다.",
        band="그중 {share:.0%}: 구간의 너비가 {bound:.6g} 이상",
        caution="구간은 많은 행에 대한 보장이며 한 건의 확률이 아닙니다. 평균 ± 2 표준편차는 "
        "아무것도 보장하지 않습니다.",
    ),
)
