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

/* Adds rules from a file and all that it includes: how many, or -1. With SECRULE_EXPECT_RULES=100 in the environment, a line on standard error tells of a
   rule set with fewer rules after that; they are loaded all the same. */
int msc_rules_add_file(RulesSet *rules, const char *file, const char **error);

/* Adds rules from a text: how many, or -1. */
int msc_rules_add(RulesSet *rules, const char *text, const char **error);

/* Releases an error text. */
void msc_rules_error_cleanup(const char *error);

/* Gives up a rule set: 1, or 0 for NULL. */
int msc_rules_cleanup(RulesSet *rules);

/*
 * The next two are not in libmodsecurity: look them up with dlsym() where another library may be loaded.
 */

/*
 * Bans requests for some seconds, at most ten years: they are denied before any rule runs, in all processes that share the store of the rule set
 * (SecCollectionStore, or SecDataDir), at the latest 100 ms from now. A ban with the same parts gets the new end.
 *
 * It means the requests that have all of its parts; NULL, or 0 for the site, stands for any. One of the three texts must be given:
 *   site  the number of msc_set_site(), SecSite or SecSiteId
 *   ip    the address of the client, v4 or v6
 *   host  the name of the host, in any case, without port
 *   path  the path without query, decoded, as in REQUEST_FILENAME
 *
 * Gives 0, or -1 where the store does not answer within SecStoreCallLimit or an argument is wrong: no rule set, no text, an empty one, an address that
 * is not one, a host with a port, no time. It may be called from any thread, and waits no longer than SecStoreCallLimit.
 */
int msc_ban(RulesSet *rules, unsigned long site, const char *ip, const char *host, const char *path, unsigned long seconds);

/* Ends the ban that has exactly these parts: 0, 1 where there is none, or -1 as msc_ban(). */
int msc_unban(RulesSet *rules, unsigned long site, const char *ip, const char *host, const char *path);

#ifdef __cplusplus
}
#endif

#endif
