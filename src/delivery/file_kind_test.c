// SPDX-License-Identifier: Apache-2.0
#include "delivery/file_kind.h"

#include "base/test.h"

TEST(file_kind_by_name_ending_and_folder) {
    static const struct {
        const char *path;
        enum file_kind kind;
    } rows[] = {
        { "go.mod", FILE_DEPENDENCY },
        { "services/cart/Cargo.lock", FILE_DEPENDENCY },
        { "requirements-dev.txt", FILE_DEPENDENCY },
        { "src/Shop/Shop.csproj", FILE_DEPENDENCY },
        { "db/migrations/0007_tax.py", FILE_MIGRATION },
        { "sql/V12__add_tax.sql", FILE_MIGRATION },
        { "sql/V12_add_tax.sql", FILE_CODE },
        { "sql/U1.2__back.sql", FILE_MIGRATION },
        { "store/002_tax.up.sql", FILE_MIGRATION },
        { "src/cart_test.go", FILE_TEST },
        { "tests/data.json", FILE_TEST },
        { "src/latest/a.c", FILE_CODE },
        { "src/contest.java", FILE_TEST }, // by its ending; there is no telling
        { ".github/workflows/ci.yml", FILE_BUILD },
        { "Dockerfile", FILE_BUILD },
        { "Dockerfile.prod", FILE_BUILD },
        { "README", FILE_DOCUMENT },
        { "docs/openapi.json", FILE_DOCUMENT },
        { "cart/main.go", FILE_CODE },
        { "query.SQL", FILE_CODE },
        { "deploy/values.yaml", FILE_CONFIG },
        { ".env.production", FILE_CONFIG },
        { "config/flags", FILE_CONFIG },
        { "logo.png", FILE_OTHER },
        { ".yaml", FILE_OTHER },     // a name, no ending
        { "Gemfile/x", FILE_OTHER }, // a folder of that name
        { "", FILE_OTHER },
        { "/", FILE_OTHER },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_STR(str_of(file_kind_text(file_kind_of(test_exact(str_of(rows[i].path))))),
                  str_of(file_kind_text(rows[i].kind)));
}
