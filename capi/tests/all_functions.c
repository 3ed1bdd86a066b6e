/*
 * Calls every function of the C interface: in order, out of order, with NULL, and from several threads.
 *
 *   all_functions [TRANSACTIONS]      transactions per thread, 200 unless told
 *
 * Prints nothing and ends with 0 when all is well.
 */
#include <modsecurity/modsecurity.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(condition)                                                              \
    do {                                                                              \
        if (!(condition)) {                                                           \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);  \
            exit(1);                                                                  \
        }                                                                             \
    } while (0)

static const char SETTINGS[] =
    "SecRuleEngine On\n"
    "SecRequestBodyAccess On\n"
    "SecResponseBodyAccess On\n"
    "SecResponseBodyMimeType text/plain\n";

static const char RULES[] =
    "SecRule ARGS:q \"@streq stop\" \"id:1,phase:1,deny,status:406,msg:'stopped'\"\n"
    "SecRule ARGS:q \"@streq away\" \"id:2,phase:1,redirect:https://example.com/%{ARGS.q},status:307\"\n"
    "SecRule ARGS:q \"@streq note\" \"id:3,phase:1,pass,log,msg:'noted'\"\n"
    "SecRule REQUEST_BODY \"@contains evil\" \"id:4,phase:2,deny,chain\"\n"
    "SecRule REQUEST_METHOD \"@streq POST\"\n"
    "SecRule RESPONSE_BODY \"@contains secret\" \"id:5,phase:4,deny,status:502\"\n"
    "SecMarker END\n";

static ModSecurityIntervention blank(void) {
    ModSecurityIntervention intervention = {200, 0, NULL, NULL, 0};
    return intervention;
}

static const unsigned char *u(const char *text) { return (const unsigned char *)text; }

/* Counts lines into the transaction's data, where it has any. */
static void count_line(void *data, const void *line) {
    CHECK(line != NULL && strncmp(line, "ModSecurity: ", 13) == 0);
    if (data != NULL) {
        atomic_fetch_add((atomic_int *)data, 1);
    }
}

static RulesSet *rules_of(const char *text) {
    const char *error = NULL;
    RulesSet *rules = msc_create_rules_set();
    CHECK(msc_rules_add(rules, SETTINGS, &error) == 0 && error == NULL);
    CHECK(msc_rules_add(rules, text, &error) >= 0 && error == NULL);
    return rules;
}

/* Leads a whole exchange; the status that it ends with. */
static int exchange(Transaction *transaction, const char *uri, const char *body, const char *answer) {
    ModSecurityIntervention intervention = blank();
    int status = 200;
#define STEP(call)                                             \
    do {                                                       \
        CHECK((call) == 1);                                    \
        if (msc_intervention(transaction, &intervention)) {    \
            CHECK(intervention.disruptive == 1);               \
            status = intervention.status;                      \
            goto over;                                         \
        }                                                      \
    } while (0)
    STEP(msc_process_connection(transaction, "192.0.2.1", 40000, "192.0.2.2", 443));
    STEP(msc_set_request_hostname(transaction, u("shop.example")));
    STEP(msc_set_site(transaction, 7));
    STEP(msc_process_uri(transaction, uri, "POST", "1.1"));
    STEP(msc_add_request_header(transaction, u("Host"), u("shop.example")));
    STEP(msc_add_n_request_header(transaction, u("Content-Type!"), 12, u("application/x-www-form-urlencoded!"), 33));
    STEP(msc_process_request_headers(transaction));
    STEP(msc_append_request_body(transaction, u(body), strlen(body)));
    CHECK(msc_get_request_body_length(transaction) == strlen(body));
    STEP(msc_process_request_body(transaction));
    STEP(msc_add_response_header(transaction, u("Server"), u("test")));
    STEP(msc_add_n_response_header(transaction, u("Content-Type"), 12, u("text/plain"), 10));
    STEP(msc_process_response_headers(transaction, 200, "HTTP/1.1"));
    STEP(msc_append_response_body(transaction, u(answer), strlen(answer)));
    CHECK(msc_get_response_body_length(transaction) == strlen(answer));
    const char *copy = msc_get_response_body(transaction);
    CHECK(strcmp(copy, answer) == 0);
    free((void *)copy);
    STEP(msc_process_response_body(transaction));
over:
    CHECK(msc_update_status_code(transaction, status) == 1);
    CHECK(msc_process_logging(transaction) == 1);
    free(intervention.url);
    free(intervention.log);
    return status;
}

static void in_order(ModSecurity *engine) {
    const struct { const char *uri, *body, *answer; int status; } cases[] = {
        {"/?q=fine", "a=b", "all is well", 200}, {"/?q=stop", "a=b", "", 406},         {"/?q=away", "a=b", "", 307},
        {"/?q=note", "a=b", "all is well", 200}, {"/?q=fine", "a=evil", "", 403},      {"/?q=fine", "a=b", "a secret", 502},
    };
    RulesSet *rules = rules_of(RULES);
    atomic_int lines = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Transaction *transaction = msc_new_transaction_with_id(engine, rules, i % 2 ? "an-id" : "", &lines);
        CHECK(exchange(transaction, cases[i].uri, cases[i].body, cases[i].answer) == cases[i].status);
        msc_transaction_cleanup(transaction);
    }
    CHECK(lines == 1);
    CHECK(msc_rules_cleanup(rules) == 1);
}

static void interventions(ModSecurity *engine) {
    RulesSet *rules = rules_of(RULES);
    Transaction *transaction = msc_new_transaction(engine, rules, NULL);
    ModSecurityIntervention intervention = blank();
    CHECK(msc_intervention(transaction, &intervention) == 0 && intervention.status == 200);
    msc_process_connection(transaction, "192.0.2.1", 40000, "192.0.2.2", 443);
    msc_process_uri(transaction, "/%d?q=away", "GET", "1.1");
    msc_process_request_headers(transaction);
    CHECK(msc_intervention(transaction, NULL) == 0);
    CHECK(msc_intervention(transaction, &intervention) == 1);
    CHECK(intervention.status == 307 && intervention.disruptive == 1 && intervention.pause == 0);
    CHECK(strcmp(intervention.url, "https://example.com/away") == 0);
    CHECK(strstr(intervention.log, "Access denied with code 307 (phase 1)") != NULL);
    CHECK(strstr(intervention.log, "[id \"2\"]") != NULL && strstr(intervention.log, "[uri \"/307\"]") != NULL);
    msc_intervention_cleanup(&intervention);
    CHECK(intervention.url == NULL && intervention.log == NULL);
    msc_intervention_cleanup(&intervention);
    intervention = blank();
    CHECK(msc_intervention(transaction, &intervention) == 0 && intervention.status == 200 && intervention.log == NULL);
    msc_transaction_cleanup(transaction);
    msc_rules_cleanup(rules);
}

static void rule_sets(void) {
    const char *error = NULL;
    RulesSet *rules = msc_create_rules_set(), *others = msc_create_rules_set();
    CHECK(msc_rules_add(rules, "", &error) == 0);
    CHECK(msc_rules_add(rules, RULES, &error) == 5 + 7 && error == NULL);
    CHECK(msc_rules_add(rules, "SecThing\nSecRule ARGS", &error) == -1);
    CHECK(strstr(error, "Rules error. File: <<reference missing or not informed>>. Line: 1. Column: 9. Invalid input:  SecThing") == error);
    msc_rules_error_cleanup(error);
    error = NULL;
    CHECK(msc_rules_add(rules, "SecRule ARGS a \"id:3,phase:1\"", &error) == -1 && strstr(error, "Rule id: 3 is duplicated") == error);
    free((void *)error);
    error = NULL;
    CHECK(msc_rules_add(rules, "SecAction \"id:6,phase:1\"", &error) == 1 && error == NULL);
    CHECK(msc_rules_add(rules, "\xff", &error) == -1 && error != NULL);
    msc_rules_error_cleanup(error);
    error = NULL;
    CHECK(msc_rules_add_file(rules, "/nonexistent/rules.conf", &error) == -1);
    CHECK(strstr(error, "Failed to open the file: /nonexistent/rules.conf\n") == error);
    msc_rules_error_cleanup(error);
    error = NULL;
    CHECK(msc_rules_add_remote(rules, "key", "http://example.com/rules", &error) == -1);
    CHECK(strstr(error, "Failed to download: \"http://example.com/rules\"\n") == error);
    msc_rules_error_cleanup(error);
    error = NULL;
    CHECK(msc_rules_add(others, "SecRule ARGS a \"id:10,phase:1\"", NULL) == 1);
    CHECK(msc_rules_merge(rules, others, &error) == 1 && error == NULL);
    CHECK(msc_rules_merge(rules, others, &error) == -1 && strstr(error, "Rule id: 10 is duplicated") == error);
    msc_rules_error_cleanup(error);
    error = NULL;
    CHECK(msc_rules_merge(rules, rules, NULL) == -1);
    CHECK(msc_rules_add(others, "SecNonsense", NULL) == -1);
    int standard_output = dup(1);
    CHECK(freopen("/dev/null", "w", stdout) != NULL);
    msc_rules_dump(rules);
    dup2(standard_output, 1);
    close(standard_output);
    msc_rules_cleanup(rules);
    msc_rules_cleanup(others);
}

static void files(ModSecurity *engine) {
    const char *error = NULL;
    char rules_path[] = "/tmp/capi-rules-XXXXXX", body_path[] = "/tmp/capi-body-XXXXXX";
    int rules_file = mkstemp(rules_path), body_file = mkstemp(body_path);
    CHECK(rules_file >= 0 && body_file >= 0);
    const char limited[] = "SecRuleEngine On\nSecRequestBodyLimit 6\nSecRequestBodyLimitAction ProcessPartial\n";
    CHECK(write(rules_file, limited, strlen(limited)) > 0 && write(body_file, "a=1", 3) == 3);
    close(rules_file);
    close(body_file);
    RulesSet *rules = msc_create_rules_set();
    CHECK(msc_rules_add_file(rules, rules_path, &error) == 0 && error == NULL);
    Transaction *transaction = msc_new_transaction(engine, rules, NULL);
    CHECK(msc_request_body_from_file(transaction, "/nonexistent/body") == 0 && msc_get_request_body_length(transaction) == 0);
    CHECK(msc_request_body_from_file(transaction, body_path) == 1 && msc_get_request_body_length(transaction) == 3);
    CHECK(msc_append_request_body(transaction, u("&b=2345"), 7) == 0 && msc_get_request_body_length(transaction) == 6);
    CHECK(msc_append_request_body(transaction, NULL, 0) == 1);
    msc_transaction_cleanup(transaction);
    msc_rules_cleanup(rules);
    unlink(rules_path);
    unlink(body_path);
}

/* The status of a request to a path of a host. */
static int ask(ModSecurity *engine, RulesSet *rules, const char *client, const char *host, const char *path) {
    ModSecurityIntervention intervention = blank();
    Transaction *transaction = msc_new_transaction(engine, rules, NULL);
    CHECK(msc_process_connection(transaction, client, 40000, "192.0.2.2", 443) == 1);
    CHECK(msc_set_site(transaction, 7) == 1);
    CHECK(msc_process_uri(transaction, path, "GET", "1.1") == 1);
    CHECK(msc_add_request_header(transaction, u("Host"), u(host)) == 1);
    CHECK(msc_process_request_headers(transaction) == 1);
    msc_intervention(transaction, &intervention);
    free(intervention.url);
    free(intervention.log);
    msc_transaction_cleanup(transaction);
    return intervention.status;
}

static void bans(ModSecurity *engine) {
    RulesSet *rules = rules_of("SecPluginStatus 451");
    CHECK(msc_unban(rules, 0, "203.0.113.1", NULL, NULL) == 1);
    CHECK(ask(engine, rules, "203.0.113.1", "shop.example", "/login") == 200);
    CHECK(msc_ban(rules, 0, "203.0.113.1", NULL, NULL, 600) == 0);
    CHECK(ask(engine, rules, "203.0.113.1", "shop.example", "/") == 451);
    CHECK(ask(engine, rules, "203.0.113.2", "shop.example", "/") == 200);
    CHECK(msc_unban(rules, 0, "203.0.113.1", NULL, "/") == 1 && msc_unban(rules, 7, "203.0.113.1", NULL, NULL) == 1);
    CHECK(msc_unban(rules, 0, "::ffff:203.0.113.1", NULL, NULL) == 0);
    CHECK(ask(engine, rules, "203.0.113.1", "shop.example", "/") == 200);
    CHECK(msc_ban(rules, 7, "2001:db8::1", "Shop.Example.", "/log in", 600) == 0);
    CHECK(ask(engine, rules, "2001:db8::1", "shop.example:8080", "/log%20in?a=b") == 451);
    CHECK(ask(engine, rules, "2001:db8::1", "shop.example", "/") == 200 && ask(engine, rules, "2001:db8::1", "blog.example", "/log%20in") == 200);
    CHECK(msc_unban(rules, 7, "2001:db8::1", "shop.example", "/log in") == 0 && msc_unban(rules, 7, "2001:db8::1", "shop.example", "/log in") == 1);
    CHECK(msc_ban(rules, 0, NULL, "blog.example", NULL, 600) == 0 && ask(engine, rules, "203.0.113.3", "blog.example", "/") == 451);
    CHECK(msc_ban(rules, 0, NULL, "blog.example", NULL, ~0ul) == 0 && msc_unban(rules, 0, NULL, "blog.example", NULL) == 0);
    CHECK(msc_ban(rules, 0, NULL, NULL, "/admin", 600) == 0 && ask(engine, rules, "203.0.113.3", "shop.example", "/admin") == 451);
    CHECK(msc_unban(rules, 0, NULL, NULL, "/admin") == 0);
    const struct { const char *ip, *host, *path; unsigned long seconds; } wrong[] = {
        {NULL, NULL, NULL, 600},          {"", NULL, NULL, 600},     {"203.0.113.0/24", NULL, NULL, 600}, {"a", NULL, NULL, 600},
        {"203.0.113.1", "", NULL, 600},   {NULL, ".", NULL, 600},    {NULL, "a.example:80", NULL, 600},   {NULL, "[::1]:80", NULL, 600},
        {"203.0.113.1", NULL, "", 600},   {"203.0.113.1", NULL, NULL, 0},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK(msc_ban(rules, 7, wrong[i].ip, wrong[i].host, wrong[i].path, wrong[i].seconds) == -1);
        if (wrong[i].seconds > 0) {
            CHECK(msc_unban(rules, 7, wrong[i].ip, wrong[i].host, wrong[i].path) == -1);
        }
    }
    CHECK(ask(engine, rules, "203.0.113.1", "shop.example", "/") == 200);
    RulesSet *down = msc_create_rules_set();
    /* A library that is built without LMDB refuses the rules. */
    if (msc_rules_add(down, "SecCollectionStore lmdb:/nonexistent/store.mdb", NULL) == 0) {
        CHECK(msc_ban(down, 0, "203.0.113.1", NULL, NULL, 600) == -1 && msc_unban(down, 0, "203.0.113.1", NULL, NULL) == -1);
    }
    msc_rules_cleanup(down);
    CHECK(msc_ban(NULL, 0, "203.0.113.1", NULL, NULL, 600) == -1 && msc_unban(NULL, 0, "203.0.113.1", NULL, NULL) == -1);
    msc_rules_cleanup(rules);
}

/* Rules outlive their handle, and the engine its own, while a transaction runs. */
static void given_up_early(void) {
    atomic_int lines = 0;
    ModSecurity *engine = msc_init();
    msc_set_log_cb(engine, count_line);
    RulesSet *rules = rules_of(RULES);
    Transaction *transaction = msc_new_transaction(engine, rules, &lines);
    msc_rules_cleanup(rules);
    msc_cleanup(engine);
    CHECK(exchange(transaction, "/?q=note", "a=evil", "") == 403);
    CHECK(lines == 1);
    msc_transaction_cleanup(transaction);
}

static void out_of_order(ModSecurity *engine) {
    RulesSet *rules = rules_of(RULES);
    Transaction *transaction = msc_new_transaction(engine, rules, NULL);
    ModSecurityIntervention intervention = blank();
    CHECK(msc_process_logging(transaction) == 1);
    CHECK(msc_process_response_body(transaction) == 1);
    CHECK(msc_append_response_body(transaction, u("a secret"), 8) == 1);
    CHECK(msc_process_response_headers(transaction, -1, NULL) == 1);
    CHECK(msc_process_request_body(transaction) == 1);
    CHECK(msc_process_request_headers(transaction) == 1);
    CHECK(msc_add_request_header(transaction, u("Late"), NULL) == 1);
    CHECK(msc_process_uri(transaction, NULL, NULL, NULL) == 1);
    CHECK(msc_process_connection(transaction, NULL, -1, NULL, 99999999) == 1);
    CHECK(msc_process_uri(transaction, "/?q=stop", "GET", "1.1") == 1);
    CHECK(msc_process_request_headers(transaction) == 1);
    CHECK(msc_process_request_headers(transaction) == 1);
    CHECK(msc_process_logging(transaction) == 1);
    CHECK(msc_process_logging(transaction) == 1);
    CHECK(msc_intervention(transaction, &intervention) == 1 && intervention.status == 406);
    msc_intervention_cleanup(&intervention);
    msc_transaction_cleanup(transaction);
    msc_rules_cleanup(rules);
}

static void null_everywhere(ModSecurity *engine) {
    const char *error = NULL;
    RulesSet *rules = msc_create_rules_set();
    CHECK(msc_new_transaction(NULL, rules, NULL) == NULL && msc_new_transaction(engine, NULL, NULL) == NULL);
    CHECK(msc_new_transaction_with_id(NULL, NULL, NULL, NULL) == NULL);
    CHECK(msc_rules_add(NULL, "SecRuleEngine On", &error) == -1 && error != NULL);
    msc_rules_error_cleanup(error);
    CHECK(msc_rules_add(rules, NULL, NULL) == 0);
    CHECK(msc_rules_add_file(NULL, NULL, NULL) == -1 && msc_rules_add_file(rules, NULL, NULL) == -1);
    CHECK(msc_rules_add_remote(NULL, NULL, NULL, NULL) == -1);
    CHECK(msc_rules_merge(NULL, rules, NULL) == -1 && msc_rules_merge(rules, NULL, NULL) == -1);
    msc_rules_dump(NULL);
    CHECK(msc_rules_cleanup(NULL) == 0);
    msc_rules_error_cleanup(NULL);
    CHECK(msc_process_connection(NULL, NULL, 0, NULL, 0) == 0 && msc_process_uri(NULL, NULL, NULL, NULL) == 0);
    CHECK(msc_set_request_hostname(NULL, NULL) == 0 && msc_set_site(NULL, 7) == 0 && msc_update_status_code(NULL, 200) == 0);
    CHECK(msc_add_request_header(NULL, NULL, NULL) == 0 && msc_add_n_request_header(NULL, NULL, 0, NULL, 0) == 0);
    CHECK(msc_add_response_header(NULL, NULL, NULL) == 0 && msc_add_n_response_header(NULL, NULL, 0, NULL, 0) == 0);
    CHECK(msc_process_request_headers(NULL) == 0 && msc_process_request_body(NULL) == 0);
    CHECK(msc_process_response_headers(NULL, 0, NULL) == 0 && msc_process_response_body(NULL) == 0);
    CHECK(msc_append_request_body(NULL, NULL, 0) == 0 && msc_append_response_body(NULL, NULL, 0) == 0);
    CHECK(msc_request_body_from_file(NULL, NULL) == 0);
    CHECK(msc_get_request_body_length(NULL) == 0 && msc_get_response_body_length(NULL) == 0);
    CHECK(msc_get_response_body(NULL) == NULL && msc_process_logging(NULL) == 0);
    CHECK(msc_intervention(NULL, NULL) == 0);
    msc_intervention_cleanup(NULL);
    msc_transaction_cleanup(NULL);
    msc_set_connector_info(NULL, NULL);
    msc_set_connector_info(engine, NULL);
    msc_set_log_cb(NULL, count_line);
    msc_cleanup(NULL);
    CHECK(msc_who_am_i(NULL) != NULL);
    Transaction *transaction = msc_new_transaction_with_id(engine, rules, NULL, NULL);
    CHECK(transaction != NULL);
    CHECK(msc_add_n_request_header(transaction, NULL, 7, NULL, 7) == 1);
    CHECK(msc_append_request_body(transaction, NULL, 7) == 1 && msc_append_response_body(transaction, NULL, 7) == 1);
    CHECK(msc_request_body_from_file(transaction, NULL) == 0);
    msc_transaction_cleanup(transaction);
    msc_rules_cleanup(rules);
}

/* The rule set that new transactions take; each is one reader's at a time, behind the lock. */
static pthread_mutex_t swap = PTHREAD_MUTEX_INITIALIZER;
static RulesSet *current;
static atomic_int running;
static int transactions_per_thread = 200;

static void *worker(void *data) {
    ModSecurity *engine = data;
    atomic_int lines = 0;
    for (int i = 0; i < transactions_per_thread; i++) {
        pthread_mutex_lock(&swap);
        Transaction *transaction = msc_new_transaction(engine, current, &lines);
        pthread_mutex_unlock(&swap);
        CHECK(transaction != NULL);
        CHECK(exchange(transaction, "/?q=note", i % 3 ? "a=b" : "a=evil", "all is well") == (i % 3 ? 200 : 403));
        msc_transaction_cleanup(transaction);
    }
    CHECK(lines == transactions_per_thread);
    atomic_fetch_sub(&running, 1);
    return NULL;
}

static void threads(ModSecurity *engine) {
    pthread_t workers[2];
    current = rules_of(RULES);
    running = 2;
    for (int i = 0; i < 2; i++) {
        CHECK(pthread_create(&workers[i], NULL, worker, engine) == 0);
    }
    while (running > 0) {
        RulesSet *next = rules_of(RULES), *more = msc_create_rules_set();
        CHECK(msc_rules_add(more, "SecAction \"id:9,phase:1,pass,nolog\"", NULL) == 1);
        pthread_mutex_lock(&swap);
        RulesSet *old = current;
        current = next;
        pthread_mutex_unlock(&swap);
        /* A rule set grows while transactions begin with it. */
        CHECK(msc_rules_merge(next, more, NULL) == 1);
        msc_rules_cleanup(old);
        msc_rules_cleanup(more);
        usleep(1000);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(workers[i], NULL);
    }
    msc_rules_cleanup(current);
}

int main(int count, char **arguments) {
    if (count > 1) {
        transactions_per_thread = atoi(arguments[1]);
    }
    ModSecurity *engine = msc_init();
    CHECK(strstr(msc_who_am_i(engine), "ModSecurity v" MODSECURITY_VERSION) != NULL);
    msc_set_connector_info(engine, "all_functions");
    msc_set_log_cb(engine, count_line);
    in_order(engine);
    interventions(engine);
    rule_sets();
    files(engine);
    bans(engine);
    given_up_early();
    out_of_order(engine);
    null_everywhere(engine);
    threads(engine);
    msc_set_log_cb(engine, NULL);
    msc_cleanup(engine);
    return 0;
}
