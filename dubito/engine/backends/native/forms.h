/* Forms of the arithmetic that a processor has. */
#ifndef DUBITO_FORMS_H
#define DUBITO_FORMS_H

/* The number of forms that this processor has: scalar, AVX2 with FMA, AVX-512. 1 without FMA. */
static inline int forms(void) {
#if defined(__x86_64__)
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return 1;
    int has_512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return has_512 ? 3 : 2;
#else
    return 1;
#endif
}

#endif
