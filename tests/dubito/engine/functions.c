/* Elementary functions of the kernel on arrays, for tests of their accuracy. */
#include "functions.h"
#include "normal.h"

#include <stddef.h>

#if defined(__x86_64__)
#define FLUSH 0x8040u /* flush to zero, and denormals are zeros */

void set_flush(int is_on) {
    unsigned state = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(is_on ? state | FLUSH : state & ~FLUSH);
}

int is_flush(void) { return (__builtin_ia32_stmxcsr() & FLUSH) == FLUSH; }
#endif

enum { EXP, EXPM1, LOG, LOG1P, SIN, COS, QUANTILE };

void doubles(int which, const double *x, double *y, size_t count) {
    for (size_t i = 0; i < count; i++) switch (which) {
        case EXP: y[i] = exponential64(x[i]); break;
        case EXPM1: y[i] = exponential_less_1(x[i]); break;
        case LOG: y[i] = logarithm(x[i]); break;
        case LOG1P: y[i] = logarithm_of_1_plus(x[i]); break;
        case SIN: y[i] = sine_of(x[i], 0); break;
        case COS: y[i] = sine_of(x[i], 1); break;
        case QUANTILE: y[i] = normal_quantile(x[i]); break;
        }
}

enum { EXPONENTIAL, ELU, SELU, TANH, SIGMOID, SILU, SOFTPLUS };

void singles(int which, const float *x, float *y, size_t count) {
    for (size_t i = 0; i < count; i++) switch (which) {
        case EXPONENTIAL: y[i] = exponential(x[i]); break;
        case ELU: y[i] = elu(x[i]); break;
        case SELU: y[i] = selu(x[i]); break;
        case TANH: y[i] = hyperbolic_tangent(x[i]); break;
        case SIGMOID: y[i] = sigmoid(x[i]); break;
        case SILU: y[i] = x[i] * sigmoid(x[i]); break;
        case SOFTPLUS: y[i] = softplus(x[i]); break;
        }
}
