/*
 * The library: the C interface of libmodsecurity 3.0.13, by secrule.
 *
 * A program that was built for libmodsecurity 3 finds here the functions that it knows; this is not the C++ interface.
 */
#ifndef MODSECURITY_MODSECURITY_H
#define MODSECURITY_MODSECURITY_H

#include "modsecurity/intervention.h"
#include "modsecurity/rules_set.h"
#include "modsecurity/transaction.h"

/* The version of libmodsecurity whose interface this is, and whether it is at least another. */
#define MODSECURITY_MAJOR "3"
#define MODSECURITY_MINOR "0"
#define MODSECURITY_PATCHLEVEL "13"
#define MODSECURITY_TAG ""
#define MODSECURITY_TAG_NUM "100"
#define MODSECURITY_VERSION MODSECURITY_MAJOR "." MODSECURITY_MINOR "." MODSECURITY_PATCHLEVEL MODSECURITY_TAG
#define MODSECURITY_VERSION_NUM 30130100
#define MODSECURITY_CHECK_VERSION(a) (MODSECURITY_VERSION_NUM >= (a))

#ifdef __cplusplus
extern "C" {
#endif

/* Receives a line for the host's log: the data of the transaction, and the line as a string. */
typedef void (*ModSecLogCb)(void *data, const void *line);

/* Begins to use the library; released with msc_cleanup(). */
ModSecurity *msc_init(void);

/* Name and version; the text is the library's own. */
const char *msc_who_am_i(ModSecurity *engine);

/* Says who the host is, for the audit log. */
void msc_set_connector_info(ModSecurity *engine, const char *connector);

/* Says who takes log lines; NULL for nobody. It is called in the thread that calls the library. */
void msc_set_log_cb(ModSecurity *engine, ModSecLogCb callback);

/* Ends the use of the library. */
void msc_cleanup(ModSecurity *engine);

#ifdef __cplusplus
}
#endif

#endif
