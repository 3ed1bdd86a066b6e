/*
 * Rule sets: the C interface of libmodsecurity 3.0.13, by secrule.
 *
 * A rule set is filled by any number of calls. One that fails leaves it as it was, gives -1, and sets *error to a text that the host
 * releases with free() or msc_rules_error_cleanup(). Where calls set the same thing, the first one wins. A rule set may be filled and given
 * up while transactions run: they keep the rules that they began with.
 */
#ifndef MODSECURITY_RULES_SET_H
#define MODSECURITY_RULES_SET_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Rules_t RulesSet;

/* An empty rule set, released with msc_rules_cleanup(). */
RulesSet *msc_create_rules_set(void);

/* Prints the rules of each phase on standard output. */
void msc_rules_dump(const RulesSet *rules);

/* Adds the rules of `from` behind those of `to`: how many, or -1. */
int msc_rules_merge(RulesSet *to, RulesSet *from, const char **error);

/* Adds rules from an https address, showing the server the key: how many, or -1. Only a library built with `remote` fetches. */
int msc_rules_add_remote(RulesSet *rules, const char *key, const char *uri, const char **error);

/* Adds rules from a file and all that it includes: how many, or -1. */
int msc_rules_add_file(RulesSet *rules, const char *file, const char **error);

/* Adds rules from a text: how many, or -1. */
int msc_rules_add(RulesSet *rules, const char *text, const char **error);

/* Releases an error text. */
void msc_rules_error_cleanup(const char *error);

/* Gives up a rule set: 1, or 0 for NULL. */
int msc_rules_cleanup(RulesSet *rules);

#ifdef __cplusplus
}
#endif

#endif
