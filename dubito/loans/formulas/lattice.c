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
#define ROUND 5

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

#define FORM(name) name##_scalar
#include "comparison.h"
#undef FORM

#if defined(__x86_64__)
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#define FORM(name) name##_avx2
#include "comparison.h"
#undef FORM
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,prefer-vector-width=512")
#define FORM(name) name##_avx512
#include "comparison.h"
#undef FORM
#pragma GCC pop_options
#endif

typedef void Scores(const Hypotheses *, Loan, double *);

static Scores *const FORMS[] = {
    scores_scalar,
#if defined(__x86_64__)
    scores_avx2,
    scores_avx512,
#endif
};

int dubito_forms(void) { return forms(); }

static double to_cents(double money) { return floor(money * 100.0 + 0.5) / 100.0; }

static Loan loan_of(const double *row) {
    Loan loan = {larger(to_cents(row[0]), 1.0), to_cents(row[5]), to_cents(row[6])};
    return loan;
}

/* Moves the `most` largest of `values` to the front; NaN, which must not be there, would be lost. */
static void select_largest(double *values, int64_t count, int64_t most) {
    int64_t low = 0, high = count - 1;
    while (low < high) {
        double pivot = values[low + (high - low) / 2];
        int64_t left = low, right = high;
        while (left <= right) {
            while (values[left] > pivot) left++;
            while (values[right] < pivot) right--;
            if (left > right) break;
            double moved = values[left];
            values[left++] = values[right];
            values[right--] = moved;
        }
        if (most - 1 <= right) high = right;
        else if (most - 1 >= left) low = left;
        else return;
    }
}

/* Lists the `most` best places in increasing order, of equal ones the first, and returns the best score
 * that is not among them. `spare` is room for `count` numbers. */
static double list_best(double *scores, int64_t count, int64_t most, double *spare, int64_t *places) {
    for (int64_t e = 0; e < count; e++) {
        scores[e] = scores[e] == scores[e] ? scores[e] : -INFINITY;
        spare[e] = scores[e];
    }
    select_largest(spare, count, most);
    double least = INFINITY, next = -INFINITY;
    for (int64_t at = 0; at < most; at++) least = spare[at] < least ? spare[at] : least;
    int64_t equal = most, listed = 0;
    for (int64_t e = 0; e < count; e++) equal -= scores[e] > least;
    for (int64_t e = 0; e < count; e++) {
        int is_best = scores[e] > least || (scores[e] == least && equal-- > 0);
        if (is_best) places[listed++] = e;
        else next = larger(scores[e], next);
    }
    return next;
}

/* Scores (rows, hypotheses). */
int dubito_scores(const Hypotheses *every, int form, const double *rows, int64_t count, double *found) {
    fenv_t caller;
    fegetenv(&caller);
    fesetenv(FE_DFL_ENV);
    for (int64_t row = 0; row < count; row++)
        FORMS[form](every, loan_of(rows + row * FEATURES), found + row * every->count);
    fesetenv(&caller);
    return 0;
}

/* For each row, the places of the `most` best hypotheses, and the best score of all others. Returns -1
 * without memory. */
int dubito_shortlist(const Hypotheses *every, int form, const double *rows, int64_t count, int64_t most,
                     int64_t *places, double *others) {
    double *scores = malloc((size_t)(2 * every->count) * sizeof(double));
    if (!scores) return -1;
    fenv_t caller;
    fegetenv(&caller);
    fesetenv(FE_DFL_ENV);
    for (int64_t row = 0; row < count; row++) {
        FORMS[form](every, loan_of(rows + row * FEATURES), scores);
        others[row] = list_best(scores, every->count, most, scores + every->count, places + row * most);
    }
    fesetenv(&caller);
    free(scores);
    return 0;
}
