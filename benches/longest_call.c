/* Times each call of a host that hands over large bodies in chunks, through the libmodsecurity C interface; the library is opened by its path.
 *
 *   cc -O2 -Icapi/include -o longest_call benches/longest_call.c -ldl
 *   longest_call LIBRARY RULES [RUNS]
 *
 * While a host with an event loop is within a call, it serves nobody else: the longest call is how long others wait. Prints a line for each transaction:
 *
 *   NAME: sum N us, longest N us in CALL, status N
 *
 * The sum is that of all calls of a run, the lowest of all runs. Call number n of a run does the same work in each run, so that the lowest of its
 * times is what it takes when nothing else disturbs it; the longest call is the longest of these. Times are those of a clock on the wall.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "modsecurity/modsecurity.h"

#define CHUNK 16384
#define MEGABYTE (1 << 20)
#define MAX_CALLS 4096
#define BOUNDARY "----7MA4YWxkTrZu0gW"

#define FUNCTIONS(X)                                                                                                                                   \
    X(init) X(set_log_cb) X(create_rules_set) X(rules_add_file) X(new_transaction) X(process_connection) X(process_uri) X(add_n_request_header)        \
    X(process_request_headers) X(append_request_body) X(process_request_body) X(add_n_response_header) X(process_response_headers)                     \
    X(append_response_body) X(process_response_body) X(process_logging) X(intervention) X(transaction_cleanup)

#define MEMBER(name) __typeof__(&msc_##name) name;
static struct { FUNCTIONS(MEMBER) } msc;

enum fill { TEXT, RANDOM };

/* A transaction: a body that is sent in chunks, and HTML that is answered in chunks. */
struct exchange {
    const char *name;
    const char *content_type;
    enum fill request;
    size_t request_length;
    size_t response_length;
};

static const struct exchange EXCHANGES[] = {
    {"multipart upload of 10 MB, text", "multipart/form-data; boundary=" BOUNDARY, TEXT, 10 * MEGABYTE, 100},
    {"multipart upload of 10 MB, random bytes", "multipart/form-data; boundary=" BOUNDARY, RANDOM, 10 * MEGABYTE, 100},
    {"application/octet-stream of 120 kB, random bytes", "application/octet-stream", RANDOM, 120000, 100},
    {"response of 512 kB, HTML", NULL, TEXT, 0, 512 * 1024},
};

/* The calls of the current run, and the lowest time of each in all runs so far. */
static struct { const char *name; double lowest; } calls[MAX_CALLS];
static size_t call_count;
static double run_sum;

static double microseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static void record(const char *name, double time) {
    if (call_count == MAX_CALLS) {
        fprintf(stderr, "more than %d calls\n", MAX_CALLS);
        exit(2);
    }
    if (!calls[call_count].name || time < calls[call_count].lowest) calls[call_count].lowest = time;
    calls[call_count++].name = name;
    run_sum += time;
}

/* Calls a function of the library, and records its time. */
#define CALL(name, ...)                                                                                                                                \
    do {                                                                                                                                               \
        double began = microseconds();                                                                                                                 \
        msc.name(__VA_ARGS__);                                                                                                                         \
        record(#name, microseconds() - began);                                                                                                         \
    } while (0)

/* Fills with lines of HTML, or with bytes of a generator (xorshift64) that begins with the same number each time. */
static void fill(char *to, size_t length, enum fill kind) {
    static const char line[] = "<p>The quick brown fox jumps over the <b>lazy</b> dog, and page 42 of it.</p>\n";
    uint64_t state = 88172645463325252u;
    for (size_t at = 0; at < length; at++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        to[at] = kind == RANDOM ? (char)(state >> 32) : line[at % (sizeof line - 1)];
    }
}

/* Makes a request body: bytes, or a form with these bytes as its file. */
static char *make_body(const struct exchange *exchange, size_t *length) {
    static const char head[] = "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"holiday.bin\"\r\n"
                               "Content-Type: application/octet-stream\r\n\r\n";
    static const char tail[] = "\r\n--" BOUNDARY "--\r\n";
    int form = exchange->content_type && strstr(exchange->content_type, "multipart");
    size_t before = form ? sizeof head - 1 : 0, after = form ? sizeof tail - 1 : 0;
    *length = before + exchange->request_length + after;
    char *body = malloc(*length + 1);
    if (!body) exit(2);
    memcpy(body, head, before);
    fill(body + before, exchange->request_length, exchange->request);
    memcpy(body + before + exchange->request_length, tail, after);
    return body;
}

/* Asks for an intervention as a host does after each phase; returns its status, 0 without one. */
static int stopped(Transaction *transaction) {
    ModSecurityIntervention intervention = {200, 0, NULL, NULL, 0};
    CALL(intervention, transaction, &intervention);
    free(intervention.url);
    free(intervention.log);
    return intervention.disruptive ? intervention.status : 0;
}

static void add_header(Transaction *transaction, const char *name, const char *value) {
    CALL(add_n_request_header, transaction, (const unsigned char *)name, strlen(name), (const unsigned char *)value, strlen(value));
}

static int request(Transaction *transaction, const struct exchange *exchange, const char *body, size_t length) {
    CALL(process_connection, transaction, "127.0.0.1", 40000, "127.0.0.1", 80);
    CALL(process_uri, transaction, "/albums/summer", length ? "POST" : "GET", "1.1");
    add_header(transaction, "Host", "shop.example.com");
    add_header(transaction, "User-Agent", "Mozilla/5.0 (X11; Linux x86_64)");
    add_header(transaction, "Accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    if (length) {
        char digits[24];
        snprintf(digits, sizeof digits, "%zu", length);
        add_header(transaction, "Content-Type", exchange->content_type);
        add_header(transaction, "Content-Length", digits);
    }
    CALL(process_request_headers, transaction);
    int status = stopped(transaction);
    for (size_t at = 0; !status && at < length; at += CHUNK) {
        CALL(append_request_body, transaction, (const unsigned char *)body + at, at + CHUNK < length ? CHUNK : length - at);
    }
    if (status) return status;
    CALL(process_request_body, transaction);
    return stopped(transaction);
}

static int response(Transaction *transaction, const char *body, size_t length) {
    static const unsigned char name[] = "Content-Type", type[] = "text/html; charset=utf-8";
    CALL(add_n_response_header, transaction, name, sizeof name - 1, type, sizeof type - 1);
    CALL(process_response_headers, transaction, 200, "HTTP/1.1");
    int status = stopped(transaction);
    for (size_t at = 0; !status && at < length; at += CHUNK) {
        CALL(append_response_body, transaction, (const unsigned char *)body + at, at + CHUNK < length ? CHUNK : length - at);
    }
    if (status) return status;
    CALL(process_response_body, transaction);
    return stopped(transaction);
}

static void measure(ModSecurity *engine, RulesSet *rules, const struct exchange *exchange, int runs) {
    size_t length;
    char *sent = make_body(exchange, &length), *answered = malloc(exchange->response_length);
    if (!answered) exit(2);
    fill(answered, exchange->response_length, TEXT);
    memset(calls, 0, sizeof calls);
    double lowest_sum = 0;
    int status = 0;
    for (int run = 0; run < runs; run++) {
        call_count = 0;
        run_sum = 0;
        Transaction *transaction = msc.new_transaction(engine, rules, NULL);
        status = request(transaction, exchange, sent, length);
        if (!status) status = response(transaction, answered, exchange->response_length);
        CALL(process_logging, transaction);
        CALL(transaction_cleanup, transaction);
        if (run == 0 || run_sum < lowest_sum) lowest_sum = run_sum;
    }
    size_t longest = 0;
    for (size_t at = 1; at < call_count; at++) {
        if (calls[at].lowest > calls[longest].lowest) longest = at;
    }
    printf("%s: sum %.0f us, longest %.0f us in %s, status %d\n", exchange->name, lowest_sum, calls[longest].lowest, calls[longest].name, status);
    free(sent);
    free(answered);
}

static void ignore(void *data, const void *line) {
    (void)data;
    (void)line;
}

int main(int count, char **arguments) {
    if (count < 3) {
        fputs("usage: longest_call LIBRARY RULES [RUNS]\n", stderr);
        return 2;
    }
    void *library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        fprintf(stderr, "%s\n", dlerror());
        return 2;
    }
#define LOAD(name)                                                                                                                                     \
    if (!(*(void **)&msc.name = dlsym(library, "msc_" #name))) {                                                                                      \
        fprintf(stderr, "%s has no msc_" #name "\n", arguments[1]);                                                                                   \
        return 2;                                                                                                                                      \
    }
    FUNCTIONS(LOAD)
    ModSecurity *engine = msc.init();
    msc.set_log_cb(engine, ignore);
    RulesSet *rules = msc.create_rules_set();
    const char *error = NULL;
    if (msc.rules_add_file(rules, arguments[2], &error) < 0) {
        fprintf(stderr, "%s\n", error ? error : "the rules cannot be loaded");
        return 2;
    }
    int runs = count > 3 ? atoi(arguments[3]) : 5;
    for (size_t at = 0; at < sizeof EXCHANGES / sizeof *EXCHANGES; at++) measure(engine, rules, &EXCHANGES[at], runs < 1 ? 1 : runs);
    return 0;
}
