/* Judges requests by a libmodsecurity that is opened by its name, for whoever asks over standard input.
 *
 *   peer LIBRARY
 *
 * A question is a frame: its length, then the rules, the number of requests, and for each of them its texts in the order of `judge`. The
 * answer is a frame: 1 or 0 for loaded or refused, the reason, and for each request its status (0 where nothing stopped it) and its log
 * lines. Numbers have four bytes, in the machine's order; a text is its length and its bytes. */
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct intervention {
    int status;
    int pause;
    char *url;
    char *log;
    int disruptive;
};

static void *(*init)(void);
static void (*cleanup)(void *);
static void (*set_log_cb)(void *, void (*)(void *, const void *));
static void *(*create_rules_set)(void);
static int (*rules_add)(void *, const char *, const char **);
static int (*rules_cleanup)(void *);
static void *(*new_transaction)(void *, void *, void *);
static void (*transaction_cleanup)(void *);
static int (*process_connection)(void *, const char *, int, const char *, int);
static int (*process_uri)(void *, const char *, const char *, const char *);
static int (*add_request_header)(void *, const unsigned char *, size_t, const unsigned char *, size_t);
static int (*process_request_headers)(void *);
static int (*append_request_body)(void *, const unsigned char *, size_t);
static int (*process_request_body)(void *);
static int (*add_response_header)(void *, const unsigned char *, size_t, const unsigned char *, size_t);
static int (*process_response_headers)(void *, int, const char *);
static int (*append_response_body)(void *, const unsigned char *, size_t);
static int (*process_response_body)(void *);
static int (*process_logging)(void *);
static int (*intervention)(void *, struct intervention *);

static void end(const char *why)
{
    fprintf(stderr, "peer: %s\n", why);
    exit(1);
}

static void open_library(const char *name)
{
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        end(dlerror());
    }
    struct {
        void *function;
        const char *name;
    } functions[] = {
        {&init, "msc_init"},
        {&cleanup, "msc_cleanup"},
        {&set_log_cb, "msc_set_log_cb"},
        {&create_rules_set, "msc_create_rules_set"},
        {&rules_add, "msc_rules_add"},
        {&rules_cleanup, "msc_rules_cleanup"},
        {&new_transaction, "msc_new_transaction"},
        {&transaction_cleanup, "msc_transaction_cleanup"},
        {&process_connection, "msc_process_connection"},
        {&process_uri, "msc_process_uri"},
        {&add_request_header, "msc_add_n_request_header"},
        {&process_request_headers, "msc_process_request_headers"},
        {&append_request_body, "msc_append_request_body"},
        {&process_request_body, "msc_process_request_body"},
        {&add_response_header, "msc_add_n_response_header"},
        {&process_response_headers, "msc_process_response_headers"},
        {&append_response_body, "msc_append_response_body"},
        {&process_response_body, "msc_process_response_body"},
        {&process_logging, "msc_process_logging"},
        {&intervention, "msc_intervention"},
    };
    for (size_t at = 0; at < sizeof functions / sizeof *functions; at++) {
        void *symbol = dlsym(library, functions[at].name);
        if (!symbol) {
            end(functions[at].name);
        }
        memcpy(functions[at].function, &symbol, sizeof symbol);
    }
}

struct text {
    uint32_t length;
    char *bytes;
};

static struct text question, answer;
static size_t position, room;

static uint32_t number(void)
{
    uint32_t value;
    if (question.length - position < sizeof value) {
        end("a question is too short");
    }
    memcpy(&value, question.bytes + position, sizeof value);
    position += sizeof value;
    return value;
}

/* A text of the question, with a NUL of its own behind it. */
static struct text text(void)
{
    struct text found = {number(), NULL};
    if (question.length - position < found.length || !(found.bytes = malloc((size_t)found.length + 1))) {
        end("a question is too short");
    }
    memcpy(found.bytes, question.bytes + position, found.length);
    found.bytes[found.length] = 0;
    position += found.length;
    return found;
}

static void say(const void *bytes, uint32_t length)
{
    if (room - answer.length < length) {
        room = 2 * room + length;
        if (!(answer.bytes = realloc(answer.bytes, room))) {
            end("no memory");
        }
    }
    memcpy(answer.bytes + answer.length, bytes, length);
    answer.length += length;
}

static void say_number(uint32_t value)
{
    say(&value, sizeof value);
}

static void say_text(const char *bytes, size_t length)
{
    say_number((uint32_t)length);
    say(bytes, (uint32_t)length);
}

static struct text lines;
static size_t lines_room;

static void add_line(void *data, const void *line)
{
    (void)data;
    size_t length = strlen(line);
    if (lines_room - lines.length <= length) {
        lines_room = 2 * lines_room + length + 1;
        if (!(lines.bytes = realloc(lines.bytes, lines_room))) {
            end("no memory");
        }
    }
    memcpy(lines.bytes + lines.length, line, length);
    lines.bytes[lines.length + length] = '\n';
    lines.length += (uint32_t)length + 1;
}

static int status;

static int stopped(void *transaction)
{
    struct intervention decision = {200, 0, NULL, NULL, 0};
    if (!intervention(transaction, &decision)) {
        return 0;
    }
    status = decision.status;
    if (decision.log) {
        add_line(NULL, decision.log);
    }
    free(decision.log);
    free(decision.url);
    return 1;
}

static void headers(void *transaction, int over, int (*add)(void *, const unsigned char *, size_t, const unsigned char *, size_t))
{
    for (uint32_t left = number(); left > 0; left--) {
        struct text name = text(), value = text();
        if (!over) {
            add(transaction, (unsigned char *)name.bytes, name.length, (unsigned char *)value.bytes, value.length);
        }
        free(name.bytes);
        free(value.bytes);
    }
}

/* Whether the transaction was stopped before, or at a piece of the body. */
static int pieces(void *transaction, int over, int (*append)(void *, const unsigned char *, size_t))
{
    for (uint32_t left = number(); left > 0; left--) {
        struct text piece = text();
        if (!over) {
            append(transaction, (unsigned char *)piece.bytes, piece.length);
            over = stopped(transaction);
        }
        free(piece.bytes);
    }
    return over;
}

/* Reads a request whole, whether or not it is stopped, so that the next one begins at its place. */
static void judge(void *engine, void *rules)
{
    struct text method = text(), target = text(), version = text();
    void *transaction = new_transaction(engine, rules, NULL);
    status = 0;
    lines.length = 0;
    process_connection(transaction, "192.0.2.7", 4711, "192.0.2.1", 80);
    int over = stopped(transaction);
    if (!over) {
        process_uri(transaction, target.bytes, method.bytes, version.bytes);
        over = stopped(transaction);
    }
    headers(transaction, over, add_request_header);
    if (!over) {
        process_request_headers(transaction);
        over = stopped(transaction);
    }
    over = pieces(transaction, over, append_request_body);
    if (!over) {
        process_request_body(transaction);
        over = stopped(transaction);
    }
    uint32_t code = number();
    headers(transaction, over, add_response_header);
    if (!over) {
        process_response_headers(transaction, (int)code, "HTTP/1.1");
        over = stopped(transaction);
    }
    over = pieces(transaction, over, append_response_body);
    if (!over) {
        process_response_body(transaction);
        stopped(transaction);
    }
    process_logging(transaction);
    transaction_cleanup(transaction);
    say_number((uint32_t)status);
    say_text(lines.bytes ? lines.bytes : "", lines.length);
    free(method.bytes);
    free(target.bytes);
    free(version.bytes);
}

int main(int count, char **arguments)
{
    if (count != 2) {
        end("peer LIBRARY");
    }
    /* What the library prints must not stand between answers. */
    FILE *answers = fdopen(dup(1), "w");
    if (!answers || !freopen("/dev/null", "w", stdout)) {
        end("no output");
    }
    open_library(arguments[1]);
    uint32_t length;
    while (fread(&length, sizeof length, 1, stdin) == 1) {
        question.length = length;
        if (!(question.bytes = realloc(question.bytes, (size_t)length + 1)) || fread(question.bytes, 1, length, stdin) != length) {
            end("a question breaks off");
        }
        position = 0;
        answer.length = 0;
        /* Persistent collections live as long as the engine. */
        void *engine = init();
        set_log_cb(engine, add_line);
        struct text text_of_rules = text();
        const char *reason = NULL;
        void *rules = create_rules_set();
        int loaded = rules_add(rules, text_of_rules.bytes, &reason) >= 0;
        say_number((uint32_t)loaded);
        say_text(reason ? reason : "", reason ? strlen(reason) : 0);
        for (uint32_t left = number(); loaded && left > 0; left--) {
            judge(engine, rules);
        }
        rules_cleanup(rules);
        cleanup(engine);
        free(text_of_rules.bytes);
        fwrite(&answer.length, sizeof answer.length, 1, answers);
        fwrite(answer.bytes, 1, answer.length, answers);
        fflush(answers);
    }
    return 0;
}
