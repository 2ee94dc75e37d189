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
        float value = exponential(x[c * LANES + p] - largest[p]);
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
    return probability * logarithm(bounded);
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
