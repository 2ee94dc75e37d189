/* Elementary functions, each one stated sequence of IEEE operations, so that every form has the same
 * bits. They have no branches: the compiler turns a loop over them into vectors.
 *
 * `fma` and `fmaf` are the only fused operations (-ffp-contract=off). Accuracies are in units in the last
 * place; tests compare them with mpmath.
 */
#ifndef DUBITO_FUNCTIONS_H
#define DUBITO_FUNCTIONS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

INLINE float from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

INLINE uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

INLINE double from_bits64(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

INLINE uint64_t bits_of64(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* e^x in single precision, within 1.1 ulp: x = n ln 2 + r with |r| <= ln 2 / 2, a polynomial in r, and
 * the scale 2^n in two factors, so that results below the normal range are rounded once. NaN stays NaN. */
INLINE float exponential(float x) {
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
    int32_t whole = (int32_t)(bits_of(shifted) - bits_of(shift));
    int32_t half = whole >> 1;
    float low = from_bits((uint32_t)(half + 127) << 23);
    float high = from_bits((uint32_t)(whole - half + 127) << 23);
    return x != x ? x : sum * low * high;
}

/* 2^n for an integer n from -1022 to 1023, given as a double. */
INLINE double power_of_two(double n) {
    /* 2^52 + 1023 + n has n's biased exponent in its low bits. */
    return from_bits64(bits_of64(n + (4503599627370496.0 + 1023.0)) << 52);
}

/* n = round(x / ln 2) and r = x - n ln 2, for |x| of at most 1024 ln 2. */
INLINE double reduced(double x, double *n) {
    const double shift = 6755399441055744.0; /* 1.5 * 2^52 */
    *n = fma(x, 1.4426950408889634, shift) - shift;
    double r = fma(*n, -0.6931471803691238, x);
    return fma(*n, -1.9082149292705877e-10, r);
}

/* (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2, the Taylor series to r^14. */
INLINE double exponential_tail(double r) {
    double sum = 1.0 / 87178291200;
    sum = fma(sum, r, 1.0 / 6227020800);
    sum = fma(sum, r, 1.0 / 479001600);
    sum = fma(sum, r, 1.0 / 39916800);
    sum = fma(sum, r, 1.0 / 3628800);
    sum = fma(sum, r, 1.0 / 362880);
    sum = fma(sum, r, 1.0 / 40320);
    sum = fma(sum, r, 1.0 / 5040);
    sum = fma(sum, r, 1.0 / 720);
    sum = fma(sum, r, 1.0 / 120);
    sum = fma(sum, r, 1.0 / 24);
    sum = fma(sum, r, 1.0 / 6);
    return fma(sum, r, 0.5);
}

/* e^x, within 1 ulp; arguments beyond ±708 are taken as that. NaN stays NaN. */
INLINE double exponential64(double x) {
    double n, bounded = x > 708.0 ? 708.0 : x;
    bounded = bounded < -708.0 ? -708.0 : bounded;
    double r = reduced(bounded, &n);
    double power = power_of_two(n);
    return x != x ? x : fma(power, fma(exponential_tail(r), r * r, r), power);
}

/* e^x - 1, within 2 ulp; arguments beyond ±708 are taken as that. NaN stays NaN, -0 stays -0. */
INLINE double exponential_less_1(double x) {
    double n, bounded = x > 708.0 ? 708.0 : x;
    bounded = bounded < -708.0 ? -708.0 : bounded;
    double r = reduced(bounded, &n);
    double power = power_of_two(n);
    double found = fma(power, fma(exponential_tail(r), r * r, r), power - 1.0);
    return x == 0.0 || x != x ? x : found;
}

/* ln x of a positive normal number, within 1 ulp; of infinity and NaN itself. With x = 2^e (1 + f) and 1 + f from
 * sqrt(1/2) to sqrt(2): e ln 2 + f - f^2 / 2 + s (f^2 / 2 + R), where s = f / (2 + f) and 2 artanh(s) = 2 s + s R. */
INLINE double logarithm(double x) {
    uint64_t bits = bits_of64(x);
    /* Moves the split between mantissa and exponent to sqrt(1/2). */
    uint64_t moved = bits - 0x3fe6a09e667f3bcdULL;
    /* The exponent, made positive, in the low bits of a double; processors convert no 64-bit integers. */
    uint64_t biased = (moved + 0x4000000000000000ULL) >> 52;
    double e = from_bits64(biased | 0x4330000000000000ULL) - (4503599627370496.0 + 1024.0);
    double f = from_bits64(bits - (moved & 0xfff0000000000000ULL)) - 1.0; /* exact */
    double s = f / (2.0 + f), z = s * s, half = 0.5 * f * f;
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
    double tail = fma(s, fma(z, sum, half), e * 1.9082149292705877e-10);
    double found = fma(e, 0.6931471803691238, f - (half - tail));
    return x < INFINITY ? found : x;
}

/* ln(1 + x) for x > -1, within 2 ulp: the logarithm of the rounded sum, and what rounding lost of it. */
INLINE double logarithm_of_1_plus(double x) {
    double sum = 1.0 + x;
    return logarithm(sum) + (x - (sum - 1.0)) / sum;
}

/* sin(x) and cos(x) for |x| < 2^20, within 1.5 ulp: x = n pi/2 + r, pi/2 in three parts. */
INLINE double sine_of(double x, int quarter) {
    const double shift = 6755399441055744.0;
    double shifted = fma(x, 0.63661977236758134, shift);
    double n = shifted - shift;
    double r = fma(n, -1.5707963267948966, x);
    r = fma(n, -6.123233995736766e-17, r);
    r = fma(n, 1.4973849048591833e-33, r);
    uint64_t quadrant = bits_of64(shifted) + (uint64_t)quarter;
    double z = r * r;
    double sine = -1.0 / 1307674368000;
    sine = fma(sine, z, 1.0 / 6227020800);
    sine = fma(sine, z, -1.0 / 39916800);
    sine = fma(sine, z, 1.0 / 362880);
    sine = fma(sine, z, -1.0 / 5040);
    sine = fma(sine, z, 1.0 / 120);
    sine = fma(sine, z, -1.0 / 6);
    sine = fma(sine * z, r, r);
    double cosine = 1.0 / 20922789888000;
    cosine = fma(cosine, z, -1.0 / 87178291200);
    cosine = fma(cosine, z, 1.0 / 479001600);
    cosine = fma(cosine, z, -1.0 / 3628800);
    cosine = fma(cosine, z, 1.0 / 40320);
    cosine = fma(cosine, z, -1.0 / 720);
    cosine = fma(cosine, z, 1.0 / 24);
    cosine = fma(cosine, z, -0.5);
    cosine = fma(cosine, z, 1.0);
    double chosen = quadrant & 1 ? cosine : sine;
    return quadrant & 2 ? -chosen : chosen;
}

/* Activations in single precision. Those that double precision computes are within 0.51 ulp, the others
 * within 3. */
INLINE float elu(float x) {
    float found = (float)exponential_less_1(x);
    return x > 0.0f ? x : found;
}

INLINE float selu(float x) {
    double found = 1.6732632423543772 * exponential_less_1(x);
    return (float)(1.0507009873554805 * (x > 0.0f ? x : found));
}

INLINE float hyperbolic_tangent(float x) {
    double twice = exponential_less_1(2.0 * fabs((double)x));
    /* Beyond this, the quotient of infinities; and 1 to single precision. */
    double found = fabs(x) > 20.0f ? 1.0 : twice / (twice + 2.0);
    return x != x ? x : copysignf((float)found, x);
}

INLINE float sigmoid(float x) {
    float small = exponential(-fabsf(x));
    return (x >= 0.0f ? 1.0f : small) / (1.0f + small);
}

INLINE float softplus(float x) {
    double rest = logarithm_of_1_plus(exponential64(-fabs((double)x)));
    return (float)((x > 0.0f ? x : 0.0f) + rest);
}

#endif
