// SPDX-License-Identifier: Apache-2.0
// The distribution functions that tests and intervals stand on. Relative errors are below 1e-10, those
// of tails too, as far as the tails are normal doubles. Arguments outside the stated ranges give NaN.
// thread: any.
#pragma once

// The normal distribution with mean 0 and deviation 1.
double normal_upper(double z);        // P(Z > z)
double normal_quantile(double p);     // z with P(Z <= z) = p; p in [0, 1], whose ends are the infinities
double normal_two_sided(double conf); // z with P(|Z| <= z) = conf; 1.959964 for 0.95; conf in [0, 1)

// The regularised incomplete gamma functions: P(a, x), and Q = 1 - P without cancellation; a > 0, x >= 0.
// P(k, x) is the probability of k or more events where x are expected (Poisson); P(f/2, x/2) is the
// chi-square distribution of f degrees of freedom. Series and continued fraction: Abramowitz, Stegun
// 6.5.29 and 6.5.31; a > 2^24: Temme, SIAM J. Math. Anal. 10 (1979) 757-766. Time O(sqrt(a)).
double gamma_p(double a, double x);
double gamma_q(double a, double x);
// x with P(a, x) = p; p in [0, 1]. gamma_p_inverse(a, 1) is INFINITY.
double gamma_p_inverse(double a, double p);
double chi2_upper(double x, double df);    // P(X > x), df > 0
double chi2_quantile(double p, double df); // x with P(X <= x) = p

// The regularised incomplete beta function I_x(a, b) and 1 - I_x(a, b) = I_{1-x}(b, a), for a, b > 0 and
// x in [0, 1]. Continued fraction: Abramowitz, Stegun 26.5.8. Time O(sqrt(max(a, b))).
double beta_p(double a, double b, double x);
double beta_q(double a, double b, double x);

// Student's t distribution of df > 0 degrees of freedom, which need not be whole.
double student_upper(double t, double df);        // P(T > t)
double student_two_sided(double conf, double df); // t with P(|T| <= t) = conf; conf in [0, 1)

// ln(n!) less the first terms of Stirling's series, and x ln(x / m) + m - x, both without cancellation:
// a Poisson probability is exp(-stirling_rest(x) - deviance(x, m)) / sqrt(2 pi x).
// Loader, Fast and accurate computation of binomial probabilities (2000). n, x, m > 0.
double stirling_rest(double n);
double deviance(double x, double m);
