/* The standard normal quantile, with the operations of dubito/numerics/normal.py and therefore its bits:
 * only +, -, x, / and square roots, in the same order and without fused ones.
 *
 * Wichura, "Algorithm AS 241", Applied Statistics 37 (1988), PPND16. */
#ifndef DUBITO_NORMAL_H
#define DUBITO_NORMAL_H

#include <math.h>

static const double CENTRE[2][8] = {
    {2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
     1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0},
    {5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
     5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0},
};
static const double TAIL[2][8] = {
    {7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
     1.27045825245236838258e0, 3.64784832476320460504e0, 5.76949722146069140550e0,
     4.63033784615654529590e0, 1.42343711074968357734e0},
    {1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
     1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940e0,
     2.05319162663775882187e0, 1.0},
};
static const double FAR_TAIL[2][8] = {
    {2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
     2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e0,
     5.46378491116411436990e0, 6.65790464350110377720e0},
    {2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
     7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
     5.99832206555887937690e-1, 1.0},
};

static double polynomial(double x, const double *coefficients, int count) {
    double sum = 0.0;
    for (int at = 0; at < count; at++) sum = sum * x + coefficients[at];
    return sum;
}

static double ratio(double x, const double pair[2][8]) {
    return polynomial(x, pair[0], 8) / polynomial(x, pair[1], 8);
}

static double series_logarithm(double value) {
    static const double SERIES[12] = {1.0 / 23, 1.0 / 21, 1.0 / 19, 1.0 / 17, 1.0 / 15, 1.0 / 13,
                                      1.0 / 11, 1.0 / 9,  1.0 / 7,  1.0 / 5,  1.0 / 3,  1.0};
    int exponent;
    double mantissa = frexp(value, &exponent);
    if (mantissa < 0.7071067811865476) {
        mantissa *= 2;
        exponent--;
    }
    double part = (mantissa - 1) / (mantissa + 1);
    return exponent * 0.6931471805599453 + 2 * part * polynomial(part * part, SERIES, 12);
}

/* The quantile of a probability in (0, 1). */
static double normal_quantile(double probability) {
    double offset = probability - 0.5;
    if (fabs(offset) <= 0.425) return offset * ratio(0.180625 - offset * offset, CENTRE);
    double other = 1 - probability;
    double root = sqrt(-series_logarithm(probability < other ? probability : other));
    double tail = root <= 5 ? ratio(root - 1.6, TAIL) : ratio(root - 5, FAR_TAIL);
    return copysign(tail, offset);
}

#endif
