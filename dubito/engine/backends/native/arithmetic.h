/* The arithmetic of the kernel, included once for each form (scalar, AVX2, AVX-512).
 *
 * A tile holds LANES passes side by side: value i of lane p is at [i * LANES + p], and values of two axes
 * are `repeat` rows of `units`. No operation reads
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

static void FORM(dense)(const Operation *one, const float *x, float *y) {
    for (int row = 0; row < one->repeat; row++, x += one->inputs * LANES, y += one->units * LANES)
        for (int stripe = 0; stripe < LANES; stripe += STRIPE)
            for (int first = 0; first < one->units; first += OUTPUTS) {
                int left = one->units - first;
                FORM(outputs)(x, one->inputs, one->first, one->units, one->second, y, first, stripe,
                              left < OUTPUTS ? left : OUTPUTS);
            }
}

/* Keeps or drops each value: bit u of noise[u / 32][p] says whether lane p keeps those of unit u. */
static void FORM(drop)(const Operation *one, const float *x, const uint32_t *noise, float *y) {
    int count = one->repeat * one->units, is_alpha = one->kind == ALPHA_DROPOUT;
    for (int i = 0; i < count; i++) {
        int u = one->index ? one->index[i] : i;
        const uint32_t *words = noise + (u >> 5) * LANES;
        int shift = u & 31;
        float scale = one->scale, offset = one->offset, dropped = one->saturated;
        if (is_alpha) EACH_LANE {
            float kept = fmaf(x[i * LANES + p], scale, offset);
            y[i * LANES + p] = (words[p] >> shift) & 1 ? kept : dropped;
        }
        else EACH_LANE {
            float kept = x[i * LANES + p] * scale;
            y[i * LANES + p] = (words[p] >> shift) & 1 ? kept : 0.0f;
        }
    }
}

/* Multiplies each value by 1 + scale n, with the normal number n of its unit and lane. */
static void FORM(scatter)(const Operation *one, const float *x, const uint32_t *noise, float *y) {
    int count = one->repeat * one->units;
    for (int i = 0; i < count; i++) {
        const uint32_t *normals = noise + (one->index ? one->index[i] : i) * LANES;
        float scale = one->scale;
        EACH_LANE y[i * LANES + p] = x[i * LANES + p] * (from_bits(normals[p]) * scale + 1.0f);
    }
}

static void FORM(merge)(const Operation *one, const float *a, const float *b, float *y) {
    int count = one->repeat * one->units * LANES;
    switch (one->kind) {
    case ADD:
        for (int i = 0; i < count; i++) y[i] = a[i] + b[i];
        return;
    case SUBTRACT:
        for (int i = 0; i < count; i++) y[i] = a[i] - b[i];
        return;
    case MULTIPLY:
        for (int i = 0; i < count; i++) y[i] = a[i] * b[i];
        return;
    case MAXIMUM: /* NaN if one is */
        for (int i = 0; i < count; i++) y[i] = a[i] > b[i] || a[i] != a[i] ? a[i] : b[i];
        return;
    case MINIMUM:
        for (int i = 0; i < count; i++) y[i] = a[i] < b[i] || a[i] != a[i] ? a[i] : b[i];
        return;
    }
}

/* Numbers, their signed logarithms, whether they are missing or one slot, or shares of a piece. */
static APART void FORM(encode)(const Operation *one, const float *x, float *y) {
    for (int u = 0; u < one->units; u++, y += LANES) {
        const float *given = x + one->index[2 * u] * LANES;
        float fill = one->first[u], slot = one->second[2 * u], width = one->second[2 * u + 1];
        EACH_LANE y[p] = given[p] != given[p] ? fill : given[p];
        switch (one->index[2 * u + 1]) {
        case MODE_LOG:
            EACH_LANE y[p] = (float)copysign(logarithm_of_1_plus(fabs((double)y[p])), (double)y[p]);
            break;
        case MODE_MISSING:
            EACH_LANE y[p] = given[p] != given[p] ? 1.0f : 0.0f;
            break;
        case MODE_SLOT:
            EACH_LANE y[p] = y[p] == slot ? 1.0f : 0.0f;
            break;
        case MODE_PIECE: /* NaN if the number is */
            EACH_LANE {
                float share = (y[p] - slot) / width;
                share = share < 0.0f ? 0.0f : share;
                y[p] = share > 1.0f ? 1.0f : share;
            }
            break;
        }
    }
}

/* How many of `count` ascending numbers are below a value, or at most it if `is_upper`; all are, for NaN. */
static APART int FORM(bound)(const float *numbers, int count, float value, int is_upper) {
    int low = 0, high = count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        float number = numbers[middle];
        int is_above = is_upper ? value < number : value <= number;
        if (is_above) high = middle;
        else low = middle + 1;
    }
    return low;
}

/* The index of each known number, and the bin of each number. */
static APART void FORM(lookup)(const Operation *one, const float *x, float *y) {
    int keys = one->noises;
    for (int i = 0; i < one->units * LANES; i++) {
        int at = FORM(bound)(one->first, keys, x[i], one->kind == DISCRETIZE);
        if (one->kind == DISCRETIZE) y[i] = (float)at;
        else y[i] = at < keys && one->first[at] == x[i] ? one->second[at] : one->offset;
    }
}

/* The row of a table at each index, one after the other. */
static APART void FORM(gather)(const Operation *one, const float *x, float *y) {
    int width = one->units / one->inputs;
    for (int at = 0; at < one->inputs; at++, x += LANES, y += width * LANES)
        for (int p = 0; p < LANES; p++) {
            /* Lanes without a row hold anything. */
            int row = x[p] >= 0.0f && x[p] < (float)one->noises ? (int)x[p] : 0;
            for (int u = 0; u < width; u++) y[u * LANES + p] = one->first[row * width + u];
        }
}

/* The first `units` of each row of `inputs` numbers, to a row of `stride`. */
static void FORM(copy)(const Operation *one, const float *x, float *y) {
    for (int row = 0; row < one->repeat; row++, x += one->inputs * LANES, y += one->stride * LANES)
        memcpy(y, x, sizeof(float) * LANES * (size_t)one->units);
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

/* Probabilities of classes from candidates of one class each (`repeat` rows of `units` numbers), the
 * candidates' scores, and logits of the classes: softmax of ln(sum of e^score + e^logit) / temperature. */
static void FORM(mixture)(const Operation *one, const float *candidates, const float *scores,
                          const float *logits, float *y) {
    int classes = one->units;
    float top[LANES];
    EACH_LANE top[p] = scores[p];
    for (int m = 0; m < one->repeat; m++) EACH_LANE {
        float value = scores[m * LANES + p];
        top[p] = value > top[p] || value != value ? value : top[p];
    }
    for (int c = 0; c < classes; c++) EACH_LANE {
        float value = logits[c * LANES + p];
        top[p] = value > top[p] || value != value ? value : top[p];
    }
    for (int c = 0; c < classes; c++) EACH_LANE y[c * LANES + p] = 0.0f;
    for (int m = 0; m < one->repeat; m++) {
        float weight[LANES];
        EACH_LANE weight[p] = exponential(scores[m * LANES + p] - top[p]);
        for (int c = 0; c < classes; c++) EACH_LANE
            y[c * LANES + p] = fmaf(weight[p], candidates[(m * classes + c) * LANES + p], y[c * LANES + p]);
    }
    for (int c = 0; c < classes; c++) EACH_LANE {
        float odds = y[c * LANES + p] + exponential(logits[c * LANES + p] - top[p]) + 1e-12f;
        y[c * LANES + p] = (float)logarithm(odds) / one->scale;
    }
    FORM(softmax)(y, classes);
}

/* The activation of `rows` times `units` values, in place; of softmax along the units of a row. */
static void FORM(activate)(int activation, float *x, int rows, int units) {
    int count = rows * units * LANES;
    switch (activation) {
    case LINEAR:
        return;
    case RELU: /* zero for both zeros, NaN for NaN */
        for (int i = 0; i < count; i++) x[i] = x[i] <= 0.0f ? 0.0f : x[i];
        return;
    case ELU:
        for (int i = 0; i < count; i++) x[i] = elu(x[i]);
        return;
    case SELU: /* Klambauer et al. 2017 */
        for (int i = 0; i < count; i++) x[i] = selu(x[i]);
        return;
    case TANH:
        for (int i = 0; i < count; i++) x[i] = hyperbolic_tangent(x[i]);
        return;
    case SIGMOID:
        for (int i = 0; i < count; i++) x[i] = sigmoid(x[i]);
        return;
    case SILU:
        for (int i = 0; i < count; i++) x[i] = x[i] * sigmoid(x[i]);
        return;
    case SOFTPLUS:
        for (int i = 0; i < count; i++) x[i] = softplus(x[i]);
        return;
    case EXPONENTIAL:
        for (int i = 0; i < count; i++) x[i] = exponential(x[i]);
        return;
    case SOFTMAX:
        for (int row = 0; row < rows; row++) FORM(softmax)(x + row * units * LANES, units);
        return;
    }
}

/* A dropout and the dense layer behind it, on a tile whose lanes all have one row: `x` has the `repeat` rows
 * of `inputs` numbers that are dropped, and bit k of noise[k / 32][p] says whether lane p keeps number k of
 * each. The same operations as one after the other. */
static void FORM(fused)(const Operation *one, const Operation *drop, const float *x, const uint32_t *noise,
                        float *tile) {
    int inputs = one->inputs, units = one->units, step = units == 1 ? OUTPUTS : 1;
    const float *w = one->first;
    float *y = tile + one->output, scale = drop->scale;
    for (int row = 0; row < one->repeat; row += step) {
        int rows = one->repeat - row < step ? one->repeat - row : step;
        for (int first = 0; first < units; first += OUTPUTS) {
            int columns = units - first < OUTPUTS ? units - first : OUTPUTS;
            for (int stripe = 0; stripe < LANES; stripe += STRIPE) {
                float sum[OUTPUTS][STRIPE];
                for (int j = 0; j < OUTPUTS; j++) {
                    float start = units == 1 ? one->second[0] : j < columns ? one->second[first + j] : 0.0f;
                    for (int p = 0; p < STRIPE; p++) sum[j][p] = start;
                }
                for (int k = 0; k < inputs; k++) {
                    uint32_t kept[STRIPE];
                    const uint32_t *words = noise + (k >> 5) * LANES + stripe;
                    int shift = k & 31;
                    for (int p = 0; p < STRIPE; p++) kept[p] = 0 - ((words[p] >> shift) & 1);
                    if (units == 1) {
                        float values[OUTPUTS];
                        for (int j = 0; j < OUTPUTS; j++)
                            values[j] = x[(row + (j < rows ? j : 0)) * inputs + k] * scale;
#pragma GCC unroll 8
                        for (int j = 0; j < OUTPUTS; j++) {
                            uint32_t bits = bits_of(values[j]);
                            for (int p = 0; p < STRIPE; p++)
                                sum[j][p] = fmaf(from_bits(bits & kept[p]), w[k], sum[j][p]);
                        }
                    } else {
                        uint32_t bits = bits_of(x[row * inputs + k] * scale);
                        float value[STRIPE];
                        const float *weights = w + (size_t)k * units + first;
                        for (int p = 0; p < STRIPE; p++) value[p] = from_bits(bits & kept[p]);
                        if (columns == OUTPUTS) {
#pragma GCC unroll 8
                            for (int j = 0; j < OUTPUTS; j++)
                                for (int p = 0; p < STRIPE; p++)
                                    sum[j][p] = fmaf(value[p], weights[j], sum[j][p]);
                        } else {
                            for (int j = 0; j < columns; j++)
                                for (int p = 0; p < STRIPE; p++)
                                    sum[j][p] = fmaf(value[p], weights[j], sum[j][p]);
                        }
                    }
                }
                for (int j = 0; j < rows * columns; j++)
                    for (int p = 0; p < STRIPE; p++)
                        y[(row * units + first + j) * LANES + stripe + p] = sum[j][p];
            }
        }
    }
    FORM(activate)(one->activation, y, one->repeat, units);
}

/* Statistics of one row over its passes, in double. Pass t is in lane t mod LANES, wherever it was
 * computed: each lane sums its own passes in order, and the lanes' sums are added in halves.
 *
 * `draws` holds class c of pass t at [c * padded + t]; `found` gets mean and standard deviation of each
 * class, predictive and expected entropy, mutual information and variation ratio. */
INLINE double FORM(over_lanes)(double *sums) {
    for (int p = 0; p < 16; p++) sums[p] += sums[p + 16];
    for (int p = 0; p < 8; p++) sums[p] += sums[p + 8];
    for (int p = 0; p < 4; p++) sums[p] += sums[p + 4];
    return (sums[0] + sums[2]) + (sums[1] + sums[3]);
}

INLINE double FORM(nats)(double probability) {
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

/* One operation on a tile; `plain` leaves every unit as it is where noise would change some. */
static void FORM(operate)(const Operation *one, float *tile, const uint32_t *const *noises, int plain) {
    const float *x = tile + one->input, *other = tile + one->other;
    float *y = tile + one->output;
    switch (one->kind) {
    case COPY:
        FORM(copy)(one, x, y);
        break;
    case STANDARDIZE:
        for (int u = 0; u < one->units; u++) EACH_LANE
            y[u * LANES + p] = (x[u * LANES + p] - one->first[u]) / one->second[u];
        break;
    case AFFINE:
        for (int u = 0; u < one->units; u++) EACH_LANE
            y[u * LANES + p] = fmaf(x[u * LANES + p], one->first[u], one->second[u]);
        break;
    case FILL:
        for (int u = 0; u < one->units; u++) EACH_LANE {
            float value = x[u * LANES + p];
            y[u * LANES + p] = value != value ? one->first[u] : value;
        }
        break;
    case ENCODE:
        FORM(encode)(one, x, y);
        break;
    case SELECT:
        for (int u = 0; u < one->units; u++)
            memcpy(y + u * LANES, x + one->index[u] * LANES, sizeof(float) * LANES);
        break;
    case LOOKUP:
    case DISCRETIZE:
        FORM(lookup)(one, x, y);
        break;
    case GATHER:
        FORM(gather)(one, x, y);
        break;
    case DENSE:
        FORM(dense)(one, x, y);
        break;
    case DROPOUT:
    case ALPHA_DROPOUT:
    case GAUSSIAN_DROPOUT:
        if (plain) FORM(copy)(one, x, y);
        else if (one->kind == GAUSSIAN_DROPOUT) FORM(scatter)(one, x, noises[one->call], y);
        else FORM(drop)(one, x, noises[one->call], y);
        break;
    case MIXTURE:
        FORM(mixture)(one, x, other, tile + one->third, y);
        break;
    default:
        FORM(merge)(one, x, other, y);
        break;
    }
    FORM(activate)(one->activation, y, one->repeat, one->units);
}

#undef EACH_LANE
