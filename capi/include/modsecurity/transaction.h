/*
 * Transactions, one request with its response each: the C interface of libmodsecurity 3.0.13, by secrule.
 *
 * The host makes the calls below in their order, as far as the exchange gets. After each msc_process_… and msc_append_… it asks
 * msc_intervention(), and stops where that gives 1. msc_process_logging() comes last, whatever happened. Calls give 1 unless something else
 * is said, and do nothing and give 0 for a NULL transaction. Several transactions may run at once, each in its own thread.
 */
#ifndef MODSECURITY_TRANSACTION_H
#define MODSECURITY_TRANSACTION_H

#include <stddef.h>

#include "modsecurity/intervention.h"
#include "modsecurity/rules_set.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ModSecurity_t ModSecurity;
typedef struct Transaction_t Transaction;

/* A transaction with an id of its own, released with msc_transaction_cleanup(). The log callback gets `log_data`. NULL without rules. */
Transaction *msc_new_transaction(ModSecurity *engine, RulesSet *rules, void *log_data);

/* The same with an id that the host gives. */
Transaction *msc_new_transaction_with_id(ModSecurity *engine, RulesSet *rules, const char *id, void *log_data);

/* Phase 0: a connection was made. */
int msc_process_connection(Transaction *transaction, const char *client, int client_port, const char *server, int server_port);

/* The host name that logs show. */
int msc_set_request_hostname(Transaction *transaction, const unsigned char *hostname);

/* Tells decision scripts which of the server's sites the request is for, by a number of the server's choice. Not in libmodsecurity: look it up
   with dlsym() where another library may be loaded. */
int msc_set_site(Transaction *transaction, unsigned long site);

/* The request line; `http_version` without "HTTP/". */
int msc_process_uri(Transaction *transaction, const char *uri, const char *method, const char *http_version);

/* A request header. */
int msc_add_request_header(Transaction *transaction, const unsigned char *name, const unsigned char *value);
int msc_add_n_request_header(Transaction *transaction, const unsigned char *name, size_t name_length, const unsigned char *value, size_t value_length);

/* Phase 1: all request headers are there. */
int msc_process_request_headers(Transaction *transaction);

/* A chunk of the request body: 0 where a limit cut it off. */
int msc_append_request_body(Transaction *transaction, const unsigned char *chunk, size_t length);

/* The request body from a file: 0 where it cannot be read, or where a limit cut it off. */
int msc_request_body_from_file(Transaction *transaction, const char *path);

/* How much of the request body was taken in, in bytes. */
size_t msc_get_request_body_length(Transaction *transaction);

/* Phase 2: the whole request body is there. */
int msc_process_request_body(Transaction *transaction);

/* A response header. */
int msc_add_response_header(Transaction *transaction, const unsigned char *name, const unsigned char *value);
int msc_add_n_response_header(Transaction *transaction, const unsigned char *name, size_t name_length, const unsigned char *value, size_t value_length);

/* Phase 3: all response headers are there. `protocol` is as rules see it, such as "HTTP/1.1". */
int msc_process_response_headers(Transaction *transaction, int status, const char *protocol);

/* A chunk of the response body: 0 where a limit cut it off. */
int msc_append_response_body(Transaction *transaction, const unsigned char *chunk, size_t length);

/* Phase 4: the whole response body is there. */
int msc_process_response_body(Transaction *transaction);

/* A copy of the response body as far as it was taken in; the host frees it. It ends with NUL and may hold others. */
const char *msc_get_response_body(const Transaction *transaction);

/* How much of the response body was taken in, in bytes. */
size_t msc_get_response_body_length(Transaction *transaction);

/* The status that the host answers with after all. */
int msc_update_status_code(Transaction *transaction, int status);

/* Phase 5 and the logs: everything is over. */
int msc_process_logging(Transaction *transaction);

/* Takes the decision that waits: 1 and the decision, or 0 where there is none. */
int msc_intervention(Transaction *transaction, ModSecurityIntervention *intervention);

/* Releases the texts of a decision. */
void msc_intervention_cleanup(ModSecurityIntervention *intervention);

/* Releases a transaction. */
void msc_transaction_cleanup(Transaction *transaction);

#ifdef __cplusplus
}
#endif

#endif
