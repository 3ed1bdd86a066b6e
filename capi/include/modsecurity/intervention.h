/*
 * How a host is to stop a request or a response: the C interface of libmodsecurity 3.0.13, by secrule.
 */
#ifndef MODSECURITY_INTERVENTION_H
#define MODSECURITY_INTERVENTION_H

#ifdef __cplusplus
extern "C" {
#endif

/* The host sets it to { 200, 0, NULL, NULL, 0 } before it asks. */
typedef struct ModSecurityIntervention_t {
    int status;     /* the status to answer with; 200 where nothing is to be done */
    int pause;      /* never used */
    char *url;      /* where to send the client, or NULL; the host frees it */
    char *log;      /* the line for the log, or NULL; the host frees it */
    int disruptive; /* 1 where the host is to stop */
} ModSecurityIntervention;

#ifdef __cplusplus
}
#endif

#endif
