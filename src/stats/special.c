// SPDX-License-Identifier: Apache-2.0
#include "stats/special.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

// Steps of a series or continued fraction. All in use end after some 10 sqrt(a) steps, a < 2^24 for the
// gamma functions and 2^40 for the beta function.
enum { STEPS_MAX = 1 << 24, BISECTIONS_MAX = 200 };
static const double GAMMA_SERIES_MAX = 0x1p24;
static const double TINY = 1e-300;

static double sqrt_2pi(double x) {
    return sqrt(2 * M_PI * x);
}

// --- the normal distribution ------------------------------------------------------------------------

double normal_upper(double z) {
    return 0.5 * erfc(z * M_SQRT1_2);
}

// Abramowitz, Stegun 26.2.23, which is within 4.5e-4; Halley's steps on the exact function do the rest.
static double upper_tail_point(double p) {
    double t = sqrt(-2 * log(p));
    double z =
        t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
    for (int i = 0; i < 3; i++) {
        double density = exp(-z * z / 2) / sqrt_2pi(1);
        double step = (normal_upper(z) - p) / density;
        z += step / (1 - z * step / 2);
    }
    return z;
}

double normal_quantile(double p) {
    if (!(p >= 0 && p <= 1)) return NAN;
    if (p == 0) return -INFINITY;
    if (p == 1) return INFINITY;
    if (p == 0.5) return 0;
    return p < 0.5 ? -upper_tail_point(p) : upper_tail_point(1 - p);
}

double normal_two_sided(double conf) {
    if (!(conf >= 0 && conf < 1)) return NAN;
    return conf == 0 ? 0 : upper_tail_point((1 - conf) / 2);
}

// --- Loader's pieces --------------------------------------------------------------------------------

double stirling_rest(double n) {
    if (n < 16) {
        int sign;
        return lgamma_r(n + 1, &sign) - (n + 0.5) * log(n) + n - 0.5 * log(2 * M_PI);
    }
    double r = 1 / (n * n);
    return (1.0 / 12 - r * (1.0 / 360 - r * (1.0 / 1260 - r * (1.0 / 1680 - r / 1188)))) / n;
}

double deviance(double x, double m) {
    if (fabs(x - m) > 0.1 * (x + m)) return x * log(x / m) + m - x;
    // With v = (x - m) / (x + m): (x - m) v + 2 x (v^3 / 3 + v^5 / 5 + ...).
    double v = (x - m) / (x + m), sum = (x - m) * v, power = 2 * x * v;
    for (int j = 1; j < 40; j++) {
        power *= v * v;
        double next = sum + power / (2 * j + 1);
        if (next == sum) break;
        sum = next;
    }
    return sum;
}

// --- the gamma functions ----------------------------------------------------------------------------

// x^a e^-x / Gamma(a + 1)
static double gamma_term(double a, double x) {
    if (a < 1) {
        int sign;
        return exp(a * log(x) - x - lgamma_r(a + 1, &sign));
    }
    return exp(-stirling_rest(a) - deviance(a, x)) / sqrt_2pi(a);
}

static double gamma_series(double a, double x) { // P, for x < a + 1
    double term = 1, sum = 1;
    for (int n = 1; n < STEPS_MAX && term > sum * DBL_EPSILON / 8; n++) {
        term *= x / (a + n);
        sum += term;
    }
    return sum * gamma_term(a, x);
}

static double gamma_fraction(double a, double x) { // Q, for x >= a + 1; Lentz's way
    double b = x + 1 - a, c = 1 / TINY, d = 1 / b, f = d;
    for (int n = 1; n < STEPS_MAX; n++) {
        double t = n * (a - n);
        b += 2;
        d = 1 / (t * d + b);
        c = b + t / c;
        f *= c * d;
        if (fabs(c * d - 1) < DBL_EPSILON) break;
    }
    return f * a * gamma_term(a, x);
}

// Temme's expansion. Beyond 2^24 two terms leave a relative error of about a^-3/2 times 1e-2. So far from
// the mean that the coefficients would need more terms, the smaller of P and Q has underflowed.
static double gamma_large(double a, double x, bool upper) {
    double half = deviance(a, x), eta = copysign(sqrt(2 * half / a), x - a);
    double c0 = -1.0 / 3 + eta * (1.0 / 12 + eta * (-2.0 / 135 + eta * (1.0 / 864 + eta / 2835)));
    double c1 = -1.0 / 540 + eta * (-1.0 / 288 + eta / 378);
    double rest = exp(-half) / sqrt_2pi(a) * (c0 + c1 / a), root = copysign(sqrt(half), x - a);
    return upper ? 0.5 * erfc(root) + rest : 0.5 * erfc(-root) - rest;
}

static bool gamma_at_end(double a, double x) {
    return !(a > 0 && a < INFINITY && x > 0 && x < INFINITY);
}
static double gamma_end(double a, double x, double at_zero, double at_infinity) {
    if (!(a > 0 && a < INFINITY && x >= 0)) return NAN;
    return x == 0 ? at_zero : at_infinity;
}

double gamma_p(double a, double x) {
    if (gamma_at_end(a, x)) return gamma_end(a, x, 0, 1);
    if (a > GAMMA_SERIES_MAX) return gamma_large(a, x, false);
    return x < a + 1 ? gamma_series(a, x) : 1 - gamma_fraction(a, x);
}

double gamma_q(double a, double x) {
    if (gamma_at_end(a, x)) return gamma_end(a, x, 1, 0);
    if (a > GAMMA_SERIES_MAX) return gamma_large(a, x, true);
    return x < a + 1 ? 1 - gamma_series(a, x) : gamma_fraction(a, x);
}

// Wilson and Hilferty's cube for a normal answer, and the first term of the series for one near 0.
static double gamma_guess(double a, double p) {
    double z = normal_quantile(p), cube = 1 - 1 / (9 * a) + z / (3 * sqrt(a));
    if (a >= 1 && cube > 0.2) return a * cube * cube * cube;
    int sign;
    return exp((log(p) + lgamma_r(a + 1, &sign)) / a);
}

// Newton's steps, between bounds that every step narrows; a step that leaves them halves them instead.
double gamma_p_inverse(double a, double p) {
    if (!(a > 0 && a < INFINITY && p >= 0 && p <= 1)) return NAN;
    if (p == 0) return 0;
    if (p == 1) return INFINITY;
    double x = gamma_guess(a, p), lo = 0, hi = INFINITY;
    for (int i = 0; i < BISECTIONS_MAX && x > 0; i++) {
        double over = p < 0.5 ? gamma_p(a, x) - p : 1 - p - gamma_q(a, x); // of the smaller side
        if (over > 0) hi = x;
        if (over < 0) lo = x;
        double next = x - over / (a / x * gamma_term(a, x));
        if (!(next > lo && next < hi)) next = hi < INFINITY ? (lo + hi) / 2 : 2 * x;
        bool done = fabs(next - x) <= 4 * DBL_EPSILON * x;
        x = next;
        if (done || over == 0) break;
    }
    return x;
}

double chi2_upper(double x, double df) {
    return gamma_q(df / 2, x / 2);
}

double chi2_quantile(double p, double df) {
    return 2 * gamma_p_inverse(df / 2, p);
}

// --- the beta function ------------------------------------------------------------------------------

// x^a y^b / B(a, b), y = 1 - x
static double beta_term(double a, double b, double x, double y) {
    double n = a + b;
    if (a < 1 || b < 1) {
        int sign;
        double ln_b = lgamma_r(a, &sign) + lgamma_r(b, &sign) - lgamma_r(n, &sign);
        return exp(a * log(x) + b * log(y) - ln_b);
    }
    double rest = stirling_rest(n) - stirling_rest(a) - stirling_rest(b);
    return exp(rest - deviance(a, n * x) - deviance(b, n * y)) * sqrt(a / n * b / (2 * M_PI));
}

// I_x(a, b) for x left of about the mean; Lentz's way, an odd and an even step at a time.
static double beta_fraction(double a, double b, double x, double y) {
    double c = 1, d = 1 / (1 - (a + b) * x / (a + 1)), f = d;
    for (int m = 1; m < STEPS_MAX; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 / (1 + even * d);
        c = 1 + even / c;
        f *= c * d;
        d = 1 / (1 + odd * d);
        c = 1 + odd / c;
        f *= c * d;
        if (fabs(c * d - 1) < DBL_EPSILON) break;
    }
    return f * beta_term(a, b, x, y) / a;
}

static double beta_both(double a, double b, double x, double y) { // I_x(a, b), y = 1 - x
    if (!(a > 0 && b > 0 && a < INFINITY && b < INFINITY && x >= 0 && y >= 0)) return NAN;
    if (x == 0 || y == 0) return x == 0 ? 0 : 1;
    if (x < (a + 1) / (a + b + 2)) return beta_fraction(a, b, x, y);
    return 1 - beta_fraction(b, a, y, x);
}

double beta_p(double a, double b, double x) {
    return beta_both(a, b, x, 1 - x);
}
double beta_q(double a, double b, double x) {
    return beta_both(b, a, 1 - x, x);
}

// --- Student's t ------------------------------------------------------------------------------------

double student_upper(double t, double df) {
    double square = t * t;
    if (isinf(square)) return t > 0 ? 0 : 1;
    double tail = beta_both(df / 2, 0.5, df / (df + square), square / (df + square)) / 2;
    return t > 0 ? tail : 1 - tail;
}

double student_two_sided(double conf, double df) {
    if (!(conf >= 0 && conf < 1 && df > 0)) return NAN;
    double tail = (1 - conf) / 2, lo = 0, hi = 1;
    while (student_upper(hi, df) > tail) lo = hi, hi *= 2;
    for (int i = 0; i < BISECTIONS_MAX && hi - lo > 2 * DBL_EPSILON * hi; i++) {
        double t = (lo + hi) / 2;
        *(student_upper(t, df) > tail ? &lo : &hi) = t;
    }
    return conf == 0 ? 0 : hi;
}
