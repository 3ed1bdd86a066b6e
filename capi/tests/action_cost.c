/* What an action costs: nanoseconds for each, beside rules that differ in nothing else.
 *
 *   action_cost RULES_WITH RULES_WITHOUT CALLS
 *
 * Each file holds CALLS actions; the difference of what a transaction takes, divided by CALLS, is printed. */

#include <modsecurity/modsecurity.h>
#include <modsecurity/rules_set.h>
#include <modsecurity/transaction.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void) {
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    return (double)moment.tv_sec * 1e9 + (double)moment.tv_nsec;
}

static void transaction(ModSecurity *engine, RulesSet *rules) {
    Transaction *one = msc_new_transaction(engine, rules, NULL);
    msc_process_connection(one, "192.0.2.1", 40000, "192.0.2.2", 80);
    msc_process_uri(one, "/?name=Ann", "GET", "1.1");
    msc_add_request_header(one, (const unsigned char *)"Host", (const unsigned char *)"shop.example");
    msc_process_request_headers(one);
    msc_process_logging(one);
    msc_transaction_cleanup(one);
}

/* The fastest of several runs, in nanoseconds for each transaction. */
static double cost(ModSecurity *engine, RulesSet *rules, int runs) {
    double best = 1e18;
    for (int round = 0; round < 5; round++) {
        double began = now();
        for (int run = 0; run < runs; run++) {
            transaction(engine, rules);
        }
        double took = (now() - began) / runs;
        if (took < best) {
            best = took;
        }
    }
    return best;
}

static RulesSet *load(const char *file) {
    const char *error = NULL;
    RulesSet *rules = msc_create_rules_set();
    if (msc_rules_add_file(rules, file, &error) < 0) {
        fprintf(stderr, "%s\n", error ? error : "the rules cannot be loaded");
        exit(1);
    }
    return rules;
}

int main(int count, char **arguments) {
    if (count != 4) {
        fprintf(stderr, "action_cost RULES_WITH RULES_WITHOUT CALLS\n");
        return 2;
    }
    ModSecurity *engine = msc_init();
    double with = cost(engine, load(arguments[1]), 40);
    double without = cost(engine, load(arguments[2]), 40);
    printf("%.0f\n", (with - without) / atoi(arguments[3]));
    return 0;
}
