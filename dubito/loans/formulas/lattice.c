/* Scores the hypotheses about a loan, and lists those that fit best: see dubito/loans/formulas/lattice.py.
 *
 * The caller owns all memory but the scores of a loan. Functions may be called from several threads.
 */
#include "../../engine/backends/native/forms.h"
#include "../../engine/backends/native/functions.h"

#include <fenv.h>
#include <stddef.h>
#include <stdlib.h>

#define FEATURES 9
#define FEATURES_WIDTH 23
#define WIDTH 68 /* features of a hypothesis, besides its one-hot grade */
#define PAID_SHOWN 8
#define BEGINNINGS_SHOWN 5
#define ROUND 5
#define GROUPS 128 /* most places of a list whose choice is hurried */

/* Constants of every hypothesis, `count` each. */
typedef struct {
    int64_t count;
    const double *rate, *annuity, *growth, *accumulated, *paid, *months, *first, *grade, *beginning, *prior;
} Hypotheses;

/* Money in units, rounded to cents. */
typedef struct {
    double amount, principal, interest;
} Loan;

/* The books, residuals and stories of a loan under a hypothesis; named as in explanations.py. */
typedef struct {
    double instalment, balance, day;
    double principal, interest, total, off, off_cents, moved, moved_cents, after, after_cents, before,
        before_cents;
    double follows, precedes;
    double on_time, late, story_moved, extra, paid_off, score;
} Compared;

static const double LOG_WIDTH = 0.1823215567939546, LOG_SPAN = 6.907755278982137, FLOOR = -3.0;
static const double SUMS[ROUND] = {1.0, 5.0, 10.0, 50.0, 100.0};
static const double SUM_PRIORS[ROUND] = {1.0, 1.2, 1.5, 2.0, 2.0};
static const double LOG_SUMS[ROUND] = {4.605170185988092, 6.214608098422191, 6.907755278982137,
                                       8.517193191416238, 9.210340371976184};
static const double PAYMENTS[ROUND] = {1.0, 5.0, 10.0, 25.0, 50.0};
static const double PAYMENT_PRIORS[ROUND] = {1.5, 1.5, 2.0, 2.0, 2.3};
static const double LOG_PAYMENTS[ROUND] = {4.605170185988092, 6.214608098422191, 6.907755278982137,
                                           7.824046010856292, 8.517193191416238};

INLINE double larger(double x, double y) { return x > y ? x : y; }

/* Flags are numbers, 1 and 0: the compiler turns no loop with combined conditions into vectors. */
INLINE double above(double x, double y) { return x > y ? 1.0 : 0.0; }

INLINE double chosen(double flag, double x, double y) { return flag > 0.5 ? x : y; }

INLINE double within(double x, double least, double most) {
    double bounded = x > least ? x : least;
    return bounded < most ? bounded : most;
}

/* Distance of a number of days from a whole number, as interest in cents. */
INLINE double apart(double days, double daily) { return fabs(days - nearbyint(days)) * daily * 100.0; }

INLINE double unbounded(double cents, double log_span) {
    return log_span - LOG_WIDTH - larger(cents - 0.6, 0.0);
}

INLINE double weight(double cents, double log_span) { return larger(unbounded(cents, log_span), FLOOR); }

/* Distance to the nearest multiple of `unit`, in cents. */
INLINE double cents_from(double money, double unit) {
    return fabs(money - unit * nearbyint(money / unit)) * 100.0;
}

/* Writes `count` flags, one of them 1; larger values share the last place. */
INLINE double *one_hot(double value, int count, double *to) {
    double capped = value < count - 1.0 ? value : count - 1.0;
    for (int at = 0; at < count; at++) *to++ = above(0.5, fabs(capped - at));
    return to;
}

INLINE double sign(double x) { return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : x; }

/* Writes a distance from a whole number of days, in cents, and whether it is small. */
INLINE double *whole(double cents, double *to) {
    *to++ = logarithm_of_1_plus(cents);
    *to++ = above(0.7, cents);
    *to++ = above(1.1, cents);
    return to;
}

static const double TERMS[2] = {36.0, 60.0};

INLINE double share(double part, double whole) { return logarithm(part + 1.0) - logarithm(whole + 1.0); }

#define FORM(name) name##_scalar
#include "comparison.h"
#undef FORM

#if defined(__x86_64__)
BEGIN_AVX2
#define FORM(name) name##_avx2
#include "comparison.h"
#undef FORM
END_FORM

BEGIN_AVX512
#define FORM(name) name##_avx512
#include "comparison.h"
#undef FORM
END_FORM
#endif

typedef void Scores(const Hypotheses *, Loan, double *);
typedef void Describe(const Hypotheses *, Loan, const int64_t *, int64_t, int, double *);
typedef void Features(const double *, double *);

typedef struct {
    Scores *scores;
    Describe *describe;
    Features *features;
} Form;

static const Form FORMS[] = {
    {scores_scalar, describe_scalar, features_scalar},
#if defined(__x86_64__)
    {scores_avx2, describe_avx2, features_avx2},
    {scores_avx512, describe_avx512, features_avx512},
#endif
};

int dubito_forms(void) { return forms(); }

static double to_cents(double money) { return floor(money * 100.0 + 0.5) / 100.0; }

static Loan loan_of(const double *row) {
    Loan loan = {larger(to_cents(row[0]), 1.0), to_cents(row[5]), to_cents(row[6])};
    return loan;
}

/* Whether hypothesis `e` is worse than `f`: of equal scores, the later. */
static int is_worse(const double *scores, int64_t e, int64_t f) {
    return scores[e] < scores[f] || (scores[e] == scores[f] && e > f);
}

/* Moves what is at `at` of a heap of hypotheses, whose first is the worst, down to its place. */
static void sink(const double *scores, int64_t *heap, int64_t count, int64_t at) {
    int64_t moved = heap[at];
    for (int64_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && is_worse(scores, heap[child + 1], heap[child])) child++;
        if (!is_worse(scores, heap[child], moved)) break;
        heap[at] = heap[child];
    }
    heap[at] = moved;
}

/* A score that at least `most` places reach: the least of the greatest of as many groups of places. */
static double reached(const double *scores, int64_t count, int64_t most) {
    double greatest[GROUPS], least = INFINITY;
    if (most > GROUPS) return -INFINITY;
    for (int64_t at = 0; at < most; at++) greatest[at] = scores[at];
    int64_t e = most;
    for (; e + most <= count; e += most)
        for (int64_t at = 0; at < most; at++) greatest[at] = larger(scores[e + at], greatest[at]);
    for (int64_t at = 0; e + at < count; at++) greatest[at] = larger(scores[e + at], greatest[at]);
    for (int64_t at = 0; at < most; at++) least = greatest[at] < least ? greatest[at] : least;
    return least;
}

/* Lists the `most` best places in increasing order, of equal ones the first. NaN counts as worst. */
static void list_best(double *scores, int64_t count, int64_t most, int64_t *places) {
    for (int64_t e = 0; e < count; e++) scores[e] = scores[e] == scores[e] ? scores[e] : -INFINITY;
    double bound = reached(scores, count, most);
    int64_t e = 0;
    for (int64_t at = 0; at < most; e++)
        if (scores[e] >= bound) places[at++] = e;
    for (int64_t at = most / 2; at-- > 0;) sink(scores, places, most, at);
    for (; e < count; e++)
        if (scores[e] > scores[places[0]]) {
            places[0] = e;
            sink(scores, places, most, 0);
        }
    int64_t worst = places[0], listed = 0;
    for (e = 0; listed < most; e++)
        if (!is_worse(scores, e, worst)) places[listed++] = e;
}

/* The best score that is not in `places`, which are in increasing order. */
static double best_of_others(const double *scores, int64_t count, const int64_t *places, int64_t most) {
    double best = -INFINITY;
    for (int64_t e = 0, at = 0; e < count; e++) {
        if (at < most && places[at] == e) at++;
        else best = larger(scores[e], best);
    }
    return best;
}

/* Scores (rows, hypotheses). */
int dubito_scores(const Hypotheses *every, int form, const double *rows, int64_t count, double *found) {
    fenv_t caller;
    fegetenv(&caller);
    fesetenv(FE_DFL_ENV);
    for (int64_t row = 0; row < count; row++)
        FORMS[form].scores(every, loan_of(rows + row * FEATURES), found + row * every->count);
    fesetenv(&caller);
    return 0;
}

/* For each row, the places of the `most` best hypotheses, and the best score of all others. Returns -1
 * without memory. */
int dubito_shortlist(const Hypotheses *every, int form, const double *rows, int64_t count, int64_t most,
                     int64_t *places, double *others) {
    double *scores = malloc((size_t)every->count * sizeof(double));
    if (!scores) return -1;
    fenv_t caller;
    fegetenv(&caller);
    fesetenv(FE_DFL_ENV);
    for (int64_t row = 0; row < count; row++) {
        FORMS[form].scores(every, loan_of(rows + row * FEATURES), scores);
        list_best(scores, every->count, most, places + row * most);
        others[row] = best_of_others(scores, every->count, places + row * most, most);
    }
    fesetenv(&caller);
    free(scores);
    return 0;
}

/* The features (rows, most, classes + WIDTH) of each row's `most` best hypotheses, in the order of the
 * lattice. Returns -1 without memory. */
int dubito_describe(const Hypotheses *every, int form, const double *rows, int64_t count, int64_t most,
                    int classes, double *found) {
    double *scores = malloc((size_t)every->count * sizeof(double));
    int64_t *places = malloc((size_t)most * sizeof(int64_t));
    int failed = !scores || !places;
    if (!failed) {
        fenv_t caller;
        fegetenv(&caller);
        fesetenv(FE_DFL_ENV);
        for (int64_t row = 0; row < count; row++) {
            Loan loan = loan_of(rows + row * FEATURES);
            FORMS[form].scores(every, loan, scores);
            list_best(scores, every->count, most, places);
            FORMS[form].describe(every, loan, places, most, classes, found + row * most * (classes + WIDTH));
        }
        fesetenv(&caller);
    }
    free(scores);
    free(places);
    return failed ? -1 : 0;
}

/* The features (rows, FEATURES_WIDTH) of loans. */
void dubito_features(int form, const double *rows, int64_t count, double *found) {
    fenv_t caller;
    fegetenv(&caller);
    fesetenv(FE_DFL_ENV);
    for (int64_t row = 0; row < count; row++)
        FORMS[form].features(rows + row * FEATURES, found + row * FEATURES_WIDTH);
    fesetenv(&caller);
}
