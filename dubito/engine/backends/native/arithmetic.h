/* The arithmetic of the kernel, included once for each form (scalar, AVX2, AVX-512).
 *
 * A tile holds LANES passes side by side: unit u of lane p is at [u * LANES + p]. No operation reads
 * another lane, so a pass depends neither on its lane nor on what is computed beside it. The compiler
 * turns loops over lanes into vectors, which rounds nothing otherwise: a multiplication and an addition
 * are fused only where `fma` says so (-ffp-contract=off), and no sum is reordered.
 *
 * Before the inclusion, FORM(name) gives the form's name of a function, OUTPUTS the outputs that `dense`
 * keeps in registers at a time, and STRIPE the lanes of them.
 */

#define EACH_LANE for (int p = 0; p < LANES; p++)

static inline float FORM(from_bits)(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t FORM(bits_of)(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline double FORM(from_bits64)(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint64_t FORM(bits_of64)(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* e^x: x = n ln 2 + r with |r| <= ln 2 / 2, a polynomial in r, and the scale 2^n in two factors, so
 * that results below the normal range are rounded once. NaN stays NaN. */
static inline float FORM(exponential)(float x) {
    const float shift = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer, held in the low bits */
    float bounded = x > 88.8f ? 88.8f : x;
    bounded = bounded < -104.0f ? -104.0f : bounded;
    float shifted = fmaf(bounded, 1.44269504f, shift);
    float n = shifted - shift;
    float r = fmaf(n, -0.693145752f, bounded);
    r = fmaf(n, -1.42860677e-6f, r);
    float sum = 1.98412698e-4f;
    sum = fmaf(sum, r, 1.38888889e-3f);
    sum = fmaf(sum, r, 8.33333333e-3f);
    sum = fmaf(sum, r, 4.16666667e-2f);
    sum = fmaf(sum, r, 1.66666667e-1f);
    sum = fmaf(sum, r, 0.5f);
    sum = fmaf(sum, r, 1.0f);
    sum = fmaf(sum, r, 1.0f);
    int32_t whole = (int32_t)(FORM(bits_of)(shifted) - FORM(bits_of)(shift));
    int32_t half = whole >> 1;
    float low = FORM(from_bits)((uint32_t)(half + 127) << 23);
    float high = FORM(from_bits)((uint32_t)(whole - half + 127) << 23);
    return x != x ? x : sum * low * high;
}

/* The natural logarithm of a positive double: e ln 2 + 2 artanh((m - 1) / (m + 1)), with m from
 * sqrt(1/2) to sqrt(2). */
static inline double FORM(logarithm)(double x) {
    uint64_t bits = FORM(bits_of64)(x);
    /* Moves the split between mantissa and exponent to sqrt(1/2). */
    uint64_t moved = bits - 0x3fe6a09e667f3bcdULL;
    double e = (double)((int64_t)moved >> 52);
    double m = FORM(from_bits64)(bits - (moved & 0xfff0000000000000ULL));
    double s = (m - 1.0) / (m + 1.0);
    double z = s * s;
    double sum = 2.0 / 23;
    sum = fma(sum, z, 2.0 / 21);
    sum = fma(sum, z, 2.0 / 19);
    sum = fma(sum, z, 2.0 / 17);
    sum = fma(sum, z, 2.0 / 15);
    sum = fma(sum, z, 2.0 / 13);
    sum = fma(sum, z, 2.0 / 11);
    sum = fma(sum, z, 2.0 / 9);
    sum = fma(sum, z, 2.0 / 7);
    sum = fma(sum, z, 2.0 / 5);
    sum = fma(sum, z, 2.0 / 3);
    /* ln 2 in two parts, of which the first times e is exact. */
    double tail = fma(e, 1.9082149292705877e-10, s * z * sum);
    return fma(e, 0.6931471803691238, fma(2.0, s, tail));
}

/* y[u] = bias[u] + sum over k of x[k] w[k][u]: one chain of fused multiply-adds in the order of the
 * inputs, so that neither tiles nor forms change a bit. `w` has rows of `units`. */
static void FORM(outputs)(const float *x, int inputs, const float *w, int units, const float *bias,
                          float *y, int first, int stripe, int count) {
    float sum[OUTPUTS][STRIPE];
    for (int j = 0; j < OUTPUTS; j++) {
        float start = j < count ? bias[first + j] : 0.0f;
        for (int p = 0; p < STRIPE; p++) sum[j][p] = start;
    }
    if (count == OUTPUTS) {
        for (int k = 0; k < inputs; k++) {
            const float *weights = w + (size_t)k * units + first;
            const float *values = x + k * LANES + stripe;
#pragma GCC unroll 8
            for (int j = 0; j < OUTPUTS; j++)
#pragma GCC unroll 32
                for (int p = 0; p < STRIPE; p++) sum[j][p] = fmaf(values[p], weights[j], sum[j][p]);
        }
    } else {
        for (int k = 0; k < inputs; k++) {
            const float *weights = w + (size_t)k * units + first;
            const float *values = x + k * LANES + stripe;
            for (int j = 0; j < count; j++)
                for (int p = 0; p < STRIPE; p++) sum[j][p] = fmaf(values[p], weights[j], sum[j][p]);
        }
    }
    for (int j = 0; j < count; j++)
        for (int p = 0; p < STRIPE; p++) y[(first + j) * LANES + stripe + p] = sum[j][p];
}

static void FORM(dense)(const float *x, int inputs, const float *w, int units, const float *bias,
                        float *y) {
    for (int stripe = 0; stripe < LANES; stripe += STRIPE)
        for (int first = 0; first < units; first += OUTPUTS) {
            int left = units - first;
            FORM(outputs)(x, inputs, w, units, bias, y, first, stripe, left < OUTPUTS ? left : OUTPUTS);
        }
}

/* Keeps or drops each unit: bit u of masks[u / 32][p] says whether lane p keeps it. */
static void FORM(drop)(const float *x, int units, const uint32_t *masks, float scale, float *y) {
    for (int u = 0; u < units; u++) {
        const uint32_t *words = masks + (u >> 5) * LANES;
        int shift = u & 31;
        EACH_LANE {
            float kept = x[u * LANES + p] * scale;
            y[u * LANES + p] = (words[p] >> shift) & 1 ? kept : 0.0f;
        }
    }
}

static void FORM(relu)(float *x, int units) {
    for (int i = 0; i < units; i++) EACH_LANE {
        float value = x[i * LANES + p];
        /* Zero for both zeros, NaN for NaN. */
        x[i * LANES + p] = value <= 0.0f ? 0.0f : value;
    }
}

/* e^(x - max) divided by its sum, in the order of the classes. */
static void FORM(softmax)(float *x, int classes) {
    float largest[LANES], sum[LANES];
    EACH_LANE largest[p] = x[p];
    for (int c = 1; c < classes; c++) EACH_LANE {
        float value = x[c * LANES + p];
        largest[p] = value > largest[p] || value != value ? value : largest[p];
    }
    EACH_LANE sum[p] = 0.0f;
    for (int c = 0; c < classes; c++) EACH_LANE {
        float value = FORM(exponential)(x[c * LANES + p] - largest[p]);
        x[c * LANES + p] = value;
        sum[p] += value;
    }
    for (int c = 0; c < classes; c++) EACH_LANE x[c * LANES + p] /= sum[p];
}

/* Statistics of one row over its passes, in double. Pass t is in lane t mod LANES, wherever it was
 * computed: each lane sums its own passes in order, and the lanes' sums are added in halves.
 *
 * `draws` holds class c of pass t at [c * padded + t]; `found` gets mean and standard deviation of each
 * class, predictive and expected entropy, mutual information and variation ratio. */
static double FORM(over_lanes)(double *sums) {
    for (int p = 0; p < 16; p++) sums[p] += sums[p + 16];
    for (int p = 0; p < 8; p++) sums[p] += sums[p + 8];
    for (int p = 0; p < 4; p++) sums[p] += sums[p + 4];
    return (sums[0] + sums[2]) + (sums[1] + sums[3]);
}

static double FORM(nats)(double probability) {
    double bounded = probability > 0.0 ? probability : 1.0;
    return probability * FORM(logarithm)(bounded);
}

static void FORM(statistics)(const float *draws, int classes, int passes, int padded, double *found) {
    double expected[LANES] = {0};
    double predictive = 0.0;
    int most = 0;
    int votes[MOST_CLASSES];
    memset(votes, 0, sizeof(int) * (size_t)classes);
    for (int first = 0; first < passes; first += LANES) {
        int count = passes - first < LANES ? passes - first : LANES;
        int some = (count + 7) / 8 * 8; /* whole vectors; the lanes beyond add nothing */
        double entropy[LANES] = {0};
        float largest[LANES];
        int32_t best[LANES] = {0};
        for (int p = 0; p < some; p++) largest[p] = draws[first + p];
        for (int c = 0; c < classes; c++) {
            const float *values = draws + (size_t)c * padded + first;
            for (int p = 0; p < some; p++) {
                best[p] = values[p] > largest[p] ? c : best[p];
                largest[p] = values[p] > largest[p] ? values[p] : largest[p];
            }
            for (int p = 0; p < some; p++) entropy[p] -= FORM(nats)(values[p]);
        }
        for (int p = 0; p < some; p++) expected[p] += p < count ? entropy[p] : 0.0;
        for (int p = 0; p < count; p++) votes[best[p]]++;
    }
    for (int c = 0; c < classes; c++) {
        const float *values = draws + (size_t)c * padded;
        double sums[LANES] = {0}, squares[LANES] = {0};
        for (int first = 0; first < passes; first += LANES) {
            int count = passes - first < LANES ? passes - first : LANES;
            for (int p = 0; p < count; p++) sums[p] += values[first + p];
        }
        double mean = FORM(over_lanes)(sums) / passes;
        for (int first = 0; first < passes; first += LANES) {
            int count = passes - first < LANES ? passes - first : LANES;
            for (int p = 0; p < count; p++) {
                double away = values[first + p] - mean;
                squares[p] = fma(away, away, squares[p]);
            }
        }
        found[c] = mean;
        found[classes + c] = sqrt(FORM(over_lanes)(squares) / passes);
        most = votes[c] > most ? votes[c] : most;
    }
    double terms[MOST_CLASSES];
    for (int c = 0; c < classes; c++) terms[c] = FORM(nats)(found[c]);
    for (int c = 0; c < classes; c++) predictive -= terms[c];
    double aleatoric = FORM(over_lanes)(expected) / passes;
    predictive = predictive > 0.0 ? predictive : predictive != predictive ? predictive : 0.0;
    aleatoric = aleatoric > 0.0 ? aleatoric : aleatoric != aleatoric ? aleatoric : 0.0;
    double epistemic = predictive - aleatoric;
    found[2 * classes] = predictive;
    found[2 * classes + 1] = aleatoric;
    found[2 * classes + 2] = epistemic > 0.0 || epistemic != epistemic ? epistemic : 0.0;
    found[2 * classes + 3] = 1.0 - (double)most / passes;
}

/* One operation on a tile; `plain` leaves every unit as it is where a mask would drop some. */
static void FORM(operate)(const Operation *one, float *tile, const uint32_t *const *masks, int plain) {
    const float *x = tile + one->input;
    float *y = tile + one->output;
    switch (one->kind) {
    case STANDARDIZE:
        for (int u = 0; u < one->units; u++) EACH_LANE
            y[u * LANES + p] = (x[u * LANES + p] - one->first[u]) / one->second[u];
        return;
    case AFFINE:
        for (int u = 0; u < one->units; u++) EACH_LANE
            y[u * LANES + p] = fmaf(x[u * LANES + p], one->first[u], one->second[u]);
        return;
    case FILL:
        for (int u = 0; u < one->units; u++) EACH_LANE {
            float value = x[u * LANES + p];
            y[u * LANES + p] = value != value ? one->first[u] : value;
        }
        return;
    case DENSE:
        FORM(dense)(x, one->inputs, one->first, one->units, one->second, y);
        break;
    case DROPOUT:
        if (plain) memcpy(y, x, sizeof(float) * LANES * one->units);
        else FORM(drop)(x, one->units, masks[one->call], one->scale, y);
        return;
    case IDENTITY:
        memcpy(y, x, sizeof(float) * LANES * one->units);
        break;
    }
    switch (one->activation) {
    case LINEAR:
        return;
    case RELU:
        FORM(relu)(y, one->units);
        return;
    case SOFTMAX:
        FORM(softmax)(y, one->units);
        return;
    }
}

#undef EACH_LANE
