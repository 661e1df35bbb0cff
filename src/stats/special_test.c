// SPDX-License-Identifier: Apache-2.0
#include "stats/special.h"

#include <math.h>
#include <stdint.h>

#include "base/test.h"

static bool near(double got, double want, double relative) {
    if (fabs(got - want) <= relative * fabs(want)) return true;
    printf("# got %.17g, want %.17g\n", got, want);
    return false;
}
static double uniform(double lo, double hi) {
    return lo + (hi - lo) * test_uniform();
}

// Worked out with 80 digits from the power series and Stirling's.
TEST(special_gamma_matches_80_digits) {
    static const struct {
        double a, x, p, q;
    } rows[] = {
        { 0.5, 0.02, 0.15851941887820606, 0.84148058112179391 },
        { 0.5, 3, 0.98569412156457037, 0.01430587843542964 },
        { 1, 1, 0.63212055882855767, 0.36787944117144233 },
        { 2.5, 1.25, 0.22350492887667731, 0.77649507112332272 },
        { 10, 3, 0.0011024881301154798, 0.99889751186988451 },
        { 10, 25, 0.99977852336175121, 0.00022147663824878357 },
        { 100, 90, 0.15822098918643016, 0.84177901081356987 },
        { 100, 160, 0.99999985579775497, 1.4420224505352737e-07 },
        { 5000, 4800, 0.0021027954807304734, 0.99789720451926955 },
        { 0.001, 0.5, 0.99943993334352921, 0.00056006665647074984 },
        { 30, 100, 0.99999999999999989, 5.8932596986614725e-17 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK(near(gamma_p(rows[i].a, rows[i].x), rows[i].p, 1e-12));
        CHECK(near(gamma_q(rows[i].a, rows[i].x), rows[i].q, 1e-12));
    }
    CHECK(gamma_p(3, 0) == 0 && gamma_q(3, 0) == 1);
    CHECK(gamma_p(3, INFINITY) == 1 && gamma_q(3, INFINITY) == 0);
    CHECK(isnan(gamma_p(0, 1)) && isnan(gamma_q(-1, 1)) && isnan(gamma_p(1, -1)) && isnan(gamma_p(NAN, 1)));
    CHECK(isnan(gamma_p(1, NAN)) && isnan(gamma_q(INFINITY, 1)));
}

TEST(special_gamma_inverse_matches_80_digits) {
    static const struct {
        double a, p, x;
    } rows[] = {
        { 0.5, 0.95, 1.9207294103470629 },    { 1, 0.025, 0.025317807984289876 },
        { 1, 0.975, 3.6888794541139363 },     { 5, 0.975, 10.241588675403698 },
        { 6, 0.025, 2.2018942534908508 },     { 56, 0.025, 42.301798182630215 },
        { 57, 0.975, 72.720658007584944 },    { 1000, 0.5, 999.66668642696516 },
        { 0.1, 0.3, 3.5860860184109462e-06 }, { 2.5, 1e-12, 2.5623217484152681e-05 },
        { 20, 0.999999, 48.826478707531514 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK(near(gamma_p_inverse(rows[i].a, rows[i].p), rows[i].x, 1e-12));
    CHECK(gamma_p_inverse(2, 0) == 0 && gamma_p_inverse(2, 1) == INFINITY);
    CHECK(isnan(gamma_p_inverse(0, 0.5)) && isnan(gamma_p_inverse(1, 1.5)) && isnan(gamma_p_inverse(1, NAN)));
}

TEST(special_gamma_inverse_undoes_gamma) {
    for (int i = 0; i < 3000; i++) {
        double a = exp(uniform(-3, 14)), p = uniform(0, 1);
        if (i % 3 == 0) p = exp(uniform(-60, -1));
        double x = gamma_p_inverse(a, p);
        if (x > 1e-290) CHECK(near(gamma_p(a, x), p, 1e-11 * (1 + sqrt(a) / 1e3)));
    }
}

// The values of printed tables: Abramowitz and Stegun 26.8, to their 6 digits.
TEST(special_chi2_matches_printed_tables) {
    CHECK(near(chi2_quantile(0.95, 1), 3.84146, 2e-6));
    CHECK(near(chi2_quantile(0.99, 10), 23.2093, 3e-6));
    CHECK(near(chi2_quantile(0.025, 30), 16.7908, 3e-6));
    CHECK(near(chi2_quantile(0.005, 100), 67.3276, 2e-6));
    CHECK(near(chi2_upper(3.841458820694124, 1), 0.05, 1e-12));
}

// Chi-square of an even number of degrees is a finite sum: Q(k, x) = e^-x (1 + x + ... + x^(k-1) / (k-1)!).
TEST(special_gamma_of_integers_is_a_poisson_sum) {
    for (int i = 0; i < 500; i++) {
        uint64_t k = 1 + test_below(400);
        double x = uniform(0, 600);
        long double term = expl(-(long double)x), sum = term;
        for (uint64_t j = 1; j < k; j++) term *= (long double)x / j, sum += term;
        CHECK(near(gamma_q((double)k, x), (double)sum, 1e-12));
    }
}

// Where series hand over to Temme's expansion; the references again with 80 digits.
TEST(special_gamma_of_millions) {
    static const struct {
        double a, x, p, q;
    } rows[] = {
        { 1e6, 997000, 0.0013381041673135997, 0.99866189583268639 },
        { 1e6, 1003000, 0.99863825935378236, 0.0013617406462175915 },
        { 2e7, 1.9980e7, 3.8465240095209749e-06, 0.99999615347599047 },
        { 2e7, 20000000, 0.50002973540194418, 0.49997026459805588 },
        { 2e7, 2.0030e7, 0.99999999998992462, 1.007533399842148e-11 },
        { 1e8, 99960000, 3.1604377116199153e-05, 0.99996839562288375 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK(near(gamma_p(rows[i].a, rows[i].x), rows[i].p, 1e-10));
        CHECK(near(gamma_q(rows[i].a, rows[i].x), rows[i].q, 1e-10));
    }
    for (int i = -6; i <= 6; i++) { // the two sides of the edge agree
        double a = 0x1p24, x = a + i * 0x1p12, up = nextafter(a, INFINITY);
        CHECK(near(gamma_p(a, x), gamma_p(up, x), 1e-10));
        CHECK(near(gamma_q(a, x), gamma_q(up, x), 1e-10));
    }
    CHECK(near(gamma_p(1e15, gamma_p_inverse(1e15, 0.025)), 0.025, 1e-7)); // x has no more digits
}

TEST(special_normal_matches_published_values) {
    CHECK(near(normal_upper(0.5), 0.30853753872598688, 1e-14));
    CHECK(near(normal_upper(1.96), 0.024997895148220435, 1e-14));
    CHECK(near(normal_upper(6), 9.8658764503769809e-10, 1e-13));
    CHECK(near(normal_upper(20), 2.7536241186062337e-89, 1e-12));
    CHECK(near(normal_two_sided(0.95), 1.9599639845400542, 1e-14));
    CHECK(near(normal_two_sided(0.99), 2.5758293035489008, 1e-14));
    CHECK(near(normal_quantile(0.975), 1.9599639845400542, 1e-13));
    CHECK(near(normal_quantile(0.1), -1.2815515655446004, 1e-14));
    CHECK(normal_quantile(0.5) == 0 && normal_two_sided(0) == 0);
    CHECK(normal_quantile(0) == -INFINITY && normal_quantile(1) == INFINITY);
    CHECK(isnan(normal_quantile(-0.1)) && isnan(normal_quantile(NAN)) && isnan(normal_two_sided(1)));
    for (int i = 0; i < 2000; i++) {
        double p = i % 2 ? exp(uniform(-600, -0.7)) : uniform(0, 1);
        CHECK(near(normal_upper(-normal_quantile(p)), p, 1e-11));
    }
}

TEST(special_beta_matches_80_digits) {
    static const struct {
        double a, b, x, p, q;
    } rows[] = {
        { 0.5, 0.5, 0.25, 1.0 / 3, 2.0 / 3 },
        { 2, 3, 0.4, 0.5248, 0.4752 },
        { 10, 0.5, 0.9, 0.15164090963470991, 0.84835909036529011 },
        { 150, 50, 0.7, 0.055330165485782228, 0.94466983451421782 },
        { 1, 1000, 0.002, 0.86493547755331635, 0.1350645224466836 },
        { 0.5, 40, 0.05, 0.95655513035791917, 0.043444869642080809 },
        { 3000, 20, 0.99, 0.019767894047843407, 0.9802321059521566 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK(near(beta_p(rows[i].a, rows[i].b, rows[i].x), rows[i].p, 1e-12));
        CHECK(near(beta_q(rows[i].a, rows[i].b, rows[i].x), rows[i].q, 1e-12));
        CHECK(near(beta_p(rows[i].b, rows[i].a, 1 - rows[i].x), rows[i].q, 1e-10));
    }
    CHECK(beta_p(2, 3, 0) == 0 && beta_p(2, 3, 1) == 1 && beta_q(2, 3, 0) == 1);
    CHECK(isnan(beta_p(0, 1, 0.5)) && isnan(beta_p(1, 1, 1.5)) && isnan(beta_p(1, 1, NAN)));
}

TEST(special_beta_rises_and_recurs) {
    for (int i = 0; i < 2000; i++) {
        double a = exp(uniform(-2, 10)), b = exp(uniform(-2, 10)), x = uniform(0.001, 0.999);
        CHECK(beta_p(a, b, x) <= beta_p(a, b, x + 0.001) + 1e-12);
        CHECK(fabs(beta_p(a, b, x) + beta_q(a, b, x) - 1) < 1e-12);
        // Abramowitz, Stegun 26.5.15: I_x(a, b) = x I_x(a - 1, b) + (1 - x) I_x(a, b - 1)
        double right = x * beta_p(a, b + 1, x) + (1 - x) * beta_p(a + 1, b, x);
        CHECK(fabs(beta_p(a + 1, b + 1, x) - right) < 1e-12);
    }
}

TEST(special_student_matches_tables_and_closed_forms) {
    CHECK(near(student_upper(2.228138852, 10), 0.024999999999418255, 1e-12));
    CHECK(near(student_upper(3, 2.5), 0.036288047774515921, 1e-12));
    CHECK(near(student_upper(1.96, 1000), 0.025136592477874357, 1e-12));
    CHECK(near(student_upper(6, 30), 6.9713843836023714e-07, 1e-12));
    CHECK(near(student_two_sided(0.95, 1), 12.706204736174694, 1e-12)); // tan(0.475 pi)
    CHECK(near(student_two_sided(0.95, 10), 2.22813885198627, 1e-12));
    CHECK(near(student_two_sided(0.95, 1e7), 1.9599639845400542, 1e-6));
    CHECK(student_two_sided(0, 3) == 0 && isnan(student_two_sided(1, 3)) && isnan(student_two_sided(0.9, 0)));
    CHECK(student_upper(INFINITY, 3) == 0 && student_upper(-INFINITY, 3) == 1 &&
          isnan(student_upper(NAN, 3)));
    for (int i = 0; i < 500; i++) {
        double t = uniform(-20, 20);
        CHECK(near(student_upper(t, 1), 0.5 - atan(t) / M_PI, 1e-10));
        CHECK(near(student_upper(t, 2), 0.5 - t / 2 / sqrt(2 + t * t), 1e-9));
        CHECK(near(student_upper(t, 7) + student_upper(-t, 7), 1, 1e-14));
    }
}
