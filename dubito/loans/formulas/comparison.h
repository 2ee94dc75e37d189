/* Comparison of a loan with its hypotheses, included once for each form (scalar, AVX2, AVX-512).
 *
 * These are the operations of `dubito.loans.explanations` and `dubito.loans.formulas.lattice`, in NumPy's
 * order and without fused ones: limits that a residual meets exactly decide as they do there. Only the
 * logarithms are others.
 *
 * Before the inclusion, FORM(name) gives the form's name of a function.
 */

/* What hypothesis `e` says of a loan. */
static inline __attribute__((always_inline)) Compared FORM(compare)(const Hypotheses *every, int64_t e,
                                                                   Loan loan) {
    Compared c;
    double rate = every->rate[e], paid = every->paid[e], first = every->first[e];

    c.instalment = ceil(loan.amount * every->annuity[e] * 100.0 - 1e-6) / 100.0;
    c.balance = loan.amount * every->growth[e] - c.instalment * every->accumulated[e];
    double books_principal = loan.amount - c.balance;
    double books_interest = paid * c.instalment - books_principal;
    c.day = loan.amount * rate / 360.0;

    c.principal = loan.principal - books_principal;
    double beyond = loan.interest - books_interest;
    c.interest = beyond - first * c.day;
    c.total = c.principal + c.interest;
    double daily = rate / 360.0, apart_by = fabs(c.principal);
    double on_balance = larger(c.balance, 1.0) * daily;
    double on_principal = larger(apart_by, 0.01) * daily;
    c.off = beyond / c.day;
    c.moved = (c.principal + beyond) / c.day;
    c.after = c.interest / on_balance;
    double saved = c.principal < 0.0 ? c.interest : -c.interest;
    c.before = within(saved / on_principal, -1e4, 1e4);
    c.off_cents = apart(c.off, c.day);
    c.moved_cents = apart(c.moved, c.day);
    c.after_cents = apart(c.after, on_balance);
    c.before_cents = apart(c.before, on_principal);
    c.follows = above(c.after, -0.5) * above(33.0, c.after) * above(c.principal, -0.015);
    c.precedes = above(c.before, -0.5) * above(30.5 * paid, c.before) * above(apart_by, 0.015);

    double log_day = logarithm(c.day * 100.0 + 4.0), log_apart = logarithm_of_1_plus(apart_by);
    c.on_time = 1.4 * weight(apart_by * 100.0, LOG_SPAN) + weight(c.off_cents, log_day) -
                0.6 * logarithm_of_1_plus(fabs(c.off - first));
    double possible = larger(above(0.015, c.principal), c.precedes);
    c.late = weight(fabs(c.total) * 100.0, LOG_SPAN) - 0.8 * log_apart + 2.0 * possible - 1.0;
    double unlikely = larger(above(fabs(c.moved), 33.0), above(0.5, paid));
    c.story_moved = weight(c.moved_cents, log_day) + 1.0 - 1.2 * log_apart -
                    0.35 * logarithm_of_1_plus(fabs(c.moved - first)) - 2.0 * unlikely;

    double count = larger(paid, 1.0), log_count = logarithm(count);
    double each = c.instalment + c.total / count, sums = FLOOR;
    for (int at = 0; at < ROUND; at++)
        sums = larger(sums, unbounded(cents_from(c.total, SUMS[at]), LOG_SUMS[at]) - SUM_PRIORS[at]);
    double payments = sums;
    for (int at = 0; at < ROUND; at++)
        payments = larger(payments, unbounded(cents_from(each, PAYMENTS[at]) * count,
                                              LOG_PAYMENTS[at] + log_count) -
                                        PAYMENT_PRIORS[at]);
    double span = logarithm(apart_by * (rate * (100.0 / 360.0)) + 4.0);
    double hit = weight(c.after_cents, log_day), half = 0.5 * weight(c.before_cents, span);
    double when = larger(chosen(c.follows, 0.5 * hit, -4.0), chosen(c.precedes, half, -4.0));
    c.extra = chosen(above(paid, 0.5), payments, sums) + when - 1.0 -
              0.3 * logarithm_of_1_plus(fabs(c.total) / c.instalment);
    c.paid_off = chosen(c.follows, hit, -4.0);
    double running = larger(larger(c.on_time, c.late), larger(c.story_moved, c.extra));
    c.score = (loan.principal > loan.amount - 0.01 ? c.paid_off : running) + every->prior[e];
    return c;
}

static void FORM(scores)(const Hypotheses *every, Loan loan, double *restrict found) {
    for (int64_t e = 0; e < every->count; e++) found[e] = FORM(compare)(every, e, loan).score;
}

/* The features of one hypothesis but the last, its score less the best: see `Lattice._described`. */
static void FORM(describe_one)(const Hypotheses *every, int64_t e, Loan loan, int classes, Compared c,
                               double *to) {
    double rate = every->rate[e], paid = every->paid[e];
    double cents = fabs(c.principal) * 100.0, total_cents = fabs(c.total) * 100.0;
    double interest_cents = fabs(c.interest) * 100.0, daily = rate * (100.0 / 360.0);
    double size = logarithm_of_1_plus(cents) / 5.0, sum_size = logarithm_of_1_plus(total_cents) / 5.0;
    to = one_hot(every->grade[e], classes, to);
    to = one_hot(paid, PAID_SHOWN, to);
    to = one_hot(every->beginning[e], BEGINNINGS_SHOWN, to);
    *to++ = every->first[e] / 5.0;
    *to++ = every->months[e] / 60.0;
    *to++ = rate * 5.0;
    *to++ = size;
    *to++ = sign(c.principal) * size;
    *to++ = above(0.8, cents);
    *to++ = above(5.5, cents);
    *to++ = within(c.principal / c.instalment, -2.0, 4.0);
    *to++ = within(c.off, -40.0, 40.0) / 10.0;
    to = whole(c.off_cents, to);
    *to++ = logarithm_of_1_plus(c.day * 100.0) / 5.0;
    *to++ = within(c.moved, -40.0, 40.0) / 10.0;
    to = whole(c.moved_cents, to);
    *to++ = within(c.after, -40.0, 60.0) / 20.0;
    to = whole(c.after_cents, to);
    *to++ = c.follows;
    *to++ = logarithm_of_1_plus(larger(c.balance, 1.0) * daily) / 5.0;
    *to++ = within(c.before, -100.0, 250.0) / 50.0;
    to = whole(c.before_cents, to);
    *to++ = c.precedes;
    *to++ = logarithm_of_1_plus(fabs(c.principal) * daily) / 5.0;
    *to++ = sum_size;
    *to++ = sign(c.total) * sum_size;
    *to++ = above(0.8, total_cents);
    *to++ = logarithm_of_1_plus(interest_cents) / 5.0;
    *to++ = within(c.interest / c.day, -30.0, 30.0) / 10.0;
    *to++ = above(0.8, interest_cents);
    *to++ = logarithm_of_1_plus(loan.amount) / 10.0 + 0.0 * size;
    *to++ = above(loan.principal, loan.amount - 0.01) + 0.0 * size;
    *to++ = above(0.01, loan.principal + loan.interest) + 0.0 * size;
    double each = c.instalment + c.total / larger(paid, 1.0);
    for (int at = 0; at < ROUND; at++) *to++ = above(0.8, cents_from(c.total, SUMS[at]));
    for (int at = 0; at < ROUND; at++) *to++ = above(0.8, cents_from(each, PAYMENTS[at]));
    *to++ = c.on_time / 10.0;
    *to++ = c.late / 5.0;
    *to++ = c.story_moved / 5.0;
    *to++ = c.extra / 5.0;
    *to++ = c.paid_off / 5.0;
    *to++ = c.score / 5.0;
    *to = c.score;
}

/* The features of the hypotheses in `places`, rows of `classes` + WIDTH numbers. */
static void FORM(describe)(const Hypotheses *every, Loan loan, const int64_t *places, int64_t most,
                           int classes, double *found) {
    int64_t width = classes + WIDTH;
    double best = -INFINITY;
    for (int64_t m = 0; m < most; m++) {
        Compared c = FORM(compare)(every, places[m], loan);
        FORM(describe_one)(every, places[m], loan, classes, c, found + m * width);
        best = c.score > best || c.score != c.score ? c.score : best;
    }
    for (int64_t m = 0; m < most; m++) {
        double *last = found + (m + 1) * width - 1;
        *last = (*last - best) / 5.0;
    }
}

/* Logs, ratios and payment phases of a loan: see `dubito.loans.formulas.features`. */
static void FORM(features)(const double *row, double *to) {
    double amount = row[0], income = row[1], principal = row[5], interest = row[6];
    double paid = principal + interest;
    double balance = larger(amount - 0.5 * principal, 0.0) + 1.0;
    double at_balance = interest * amount / ((principal + interest + 1.0) * balance);
    double exponent = -logarithm(1.0 - within(at_balance, 0.001, 0.99));
    for (int at = 0; at < FEATURES; at++) *to++ = logarithm_of_1_plus(row[at]);
    *to++ = logarithm_of_1_plus(paid);
    *to++ = share(interest, principal);
    *to++ = share(interest, amount);
    *to++ = share(principal, amount);
    *to++ = share(paid, amount);
    *to++ = share(amount, income);
    *to++ = interest / (paid + 1.0);
    *to++ = exponent;
    for (int at = 0; at < 2; at++) {
        double rate = exponential_less_1(exponent / TERMS[at]);
        double instalment = amount * rate / (1.0 - exponential64(-exponent));
        double payments = within(paid / (instalment + 0.01), 0.0, TERMS[at] + 1.0);
        *to++ = sine_of(6.283185307179586 * payments, 0);
        *to++ = sine_of(6.283185307179586 * payments, 1);
    }
    *to++ = principal / (amount + 1.0);
    *to = above(paid, 0.0);
}
