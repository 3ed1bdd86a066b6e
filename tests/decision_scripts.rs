//! Decision scripts: their data, their functions, and the effect of their results.

#![cfg(feature = "lua")]

use secrule_testkit::exchange::{Judged, Request, Rules, refusal};
use secrule_testkit::name_server::NameServer;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// The log of a script while a look-up is running.
const NOT_YET: &str = "the name server has not said yet";

const GOOGLEBOT: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

/// Makes rules with one script with this body, and settings.
#[track_caller]
fn rules(settings: &str, body: &str) -> Rules {
    let script = format!("function should_block() {body} end");
    Rules::new(&format!("{settings}\nSecDecisionScript a.lua phase:2"), &[("a.lua", &script)])
}

/// Returns the value of an expression in a script, as text.
#[track_caller]
fn value(settings: &str, request: Request<'_>, expression: &str) -> String {
    let rules = rules(settings, &format!("log(tostring({expression})) return 1"));
    let judged = rules.judge(request);
    assert_eq!(judged.transaction.script_failures(), [], "{expression}");
    judged.transaction.rule_matches()[0].data().into_owned()
}

fn failure(judged: &Judged) -> &str {
    judged.transaction.script_failures().first().map_or("", |failure| &failure.reason)
}

#[test]
fn an_answer_blocks_lets_pass_or_goes_on() {
    let scripts = [
        ("block.lua", "function should_block() return 1 end"),
        ("pass.lua", "function should_block() return -1 end"),
        ("next.lua", "function should_block() return 0 end"),
        ("odd.lua", "function should_block() return 'yes' end"),
        ("none.lua", "should_block = nil"),
        ("error.lua", "function should_block() error('no') end"),
        ("loop.lua", "function should_block() while true do end end"),
    ];
    let chain = |names: &str| {
        let rules: String = names.split(' ').map(|name| format!("SecDecisionScript {name}.lua\n")).collect();
        Rules::new(&rules, &scripts).judge(Request::default()).status()
    };
    for (names, status) in [
        ("block", Some(403)),
        ("next block", Some(403)),
        ("pass block", None),
        ("next pass block", None),
        ("odd none error loop block", Some(403)),
        ("odd none error loop", None),
    ] {
        assert_eq!(chain(names), status, "{names}");
    }
    let in_two_phases = Rules::new("SecDecisionScript block.lua phase:2\nSecDecisionScript pass.lua phase:1", &scripts);
    assert_eq!(in_two_phases.judge(Request::default()).status(), None);
    let rules = Rules::new("SecDecisionScript odd.lua", &scripts);
    assert_eq!(failure(&rules.judge(Request::default())), "should_block returned `yes`, which is none of 0, 1 and -1");
    assert!(rules.said().iter().any(|said| said.contains("odd.lua")));
}

#[test]
fn a_script_that_blocks_is_in_the_log_with_its_last_words() {
    let rules = rules("SecDecisionStatus 429", "log('because of ' .. request.method) return 1");
    let judged = rules.judge(Request::default());
    assert_eq!(judged.status(), Some(429));
    let [found] = judged.transaction.rule_matches() else { panic!("{:?}", judged.transaction.rule_matches()) };
    assert_eq!((&*found.message(), &*found.data(), found.disruptive), ("Blocked by decision script a.lua", "because of GET", true));
    assert!(rules.said().contains(&"Decision script a.lua: because of GET".to_owned()));
    let detecting = Rules::new("SecDecisionScript a.lua", &[("a.lua", "function should_block() return 1 end")]);
    assert_eq!(detecting.judge(Request::default()).status(), Some(403));
    let detecting = Rules::new(
        "SecAction \"id:1,phase:0,pass,nolog,ctl:ruleEngine=DetectionOnly\"\nSecDecisionScript a.lua",
        &[("a.lua", "function should_block() return 1 end")],
    );
    let judged = detecting.judge(Request::default());
    assert_eq!((judged.status(), judged.transaction.rule_matches().len()), (None, 1));
}

#[test]
fn scripts_run_between_the_rules_that_stand_around_them() {
    let script = "function should_block() return 1 end";
    let at = |rules: &str| Rules::new(rules, &[("a.lua", script)]).judge(Request::default()).status();
    let deny = "SecAction \"id:1,phase:1,deny,status:401\"";
    assert_eq!(at(&format!("{deny}\nSecDecisionScript a.lua")), Some(401));
    assert_eq!(at(&format!("SecDecisionScript a.lua\n{deny}")), Some(403));
    assert_eq!(at("SecAction \"id:1,phase:1,pass,nolog,skipAfter:END\"\nSecDecisionScript a.lua\nSecMarker END"), None);
    assert_eq!(at("SecAction \"id:1,phase:1,nolog,allow\"\nSecDecisionScript a.lua"), None);
    assert_eq!(at("SecAction \"id:1,phase:0,nolog,pass,ctl:ruleEngine=Off\"\nSecDecisionScript a.lua"), None);
}

#[test]
fn a_request_shows_its_parts() {
    let request = Request {
        target: "/a?b=%20c",
        headers: &[("X-Tag", "one"), ("x-tag", "two"), ("User-Agent", "sample")],
        body: Some("0123456789"),
        site: Some(7),
        ..Request::default()
    };
    let shown = |expression| value("SecDecisionBodyLimit 4", request, expression);
    assert_eq!(shown("request.method .. request.uri"), "POST/a?b=%20c");
    assert_eq!(shown("request.headers['X-TAG'] .. request.headers['user-agent']"), "one, twosample");
    assert_eq!(shown("request.headers.absent"), "nil");
    assert_eq!(shown("request.body .. tostring(request.body_is_cut)"), "0123true");
    assert_eq!(shown("request.client_ip"), "192.0.2.1");
    assert_eq!(shown("request.site_id"), "7");
    assert_eq!(shown("request.timestamp > 1.6e9"), "true");
    assert_eq!(shown("request.absent"), "nil");
    let names = "(function() local t = {} for name in pairs(request.headers) do t[#t + 1] = name end table.sort(t) return table.concat(t, ' ') end)()";
    assert_eq!(shown(names), "Content-Type Host User-Agent X-Tag");
    assert_eq!(value("", request, "request.body .. tostring(request.body_is_cut)"), "0123456789false");
    assert_eq!(value("", Request { client: "unix:", ..request }, "request.client_ip"), "unix:");
    assert_eq!(value("", request, "tostring(io) .. tostring(os.execute) .. tostring(m)"), "nilnilnil");
}

#[test]
fn the_client_is_who_a_trusted_peer_says() {
    let client = |settings: &str, peer: &str, headers: &[(&str, &str)]| {
        value(settings, Request { client: peer, headers, ..Request::default() }, "request.client_ip")
    };
    let trusted = "SecTrustedSource 10.0.0.0/8 2001:db8::1";
    let forwarded = ("X-Forwarded-For", "203.0.113.5, 10.0.0.9");
    for (settings, peer, headers, expected) in [
        (trusted, "10.1.2.3", &[("X-Real-IP", "203.0.113.9"), forwarded][..], "203.0.113.9"),
        (trusted, "10.1.2.3", &[forwarded], "203.0.113.5"),
        (trusted, "10.1.2.3", &[], "10.1.2.3"),
        (trusted, "10.1.2.3", &[("X-Real-IP", "nobody"), forwarded], "203.0.113.5"),
        (trusted, "10.1.2.3", &[("X-Real-IP", "nobody"), ("X-Forwarded-For", "unknown, 203.0.113.5")], "10.1.2.3"),
        (trusted, "2001:db8::1", &[("X-Real-IP", " 2001:db8::99 ")], "2001:db8::99"),
        (trusted, "::ffff:10.1.2.3", &[("X-Real-IP", "203.0.113.9")], "203.0.113.9"),
        (trusted, "192.0.2.1", &[("X-Real-IP", "203.0.113.9"), forwarded], "192.0.2.1"),
        ("", "10.1.2.3", &[("X-Real-IP", "203.0.113.9")], "10.1.2.3"),
        (trusted, "10.1.2.3", &[("X-Real-IP", "203.0.113.9:4433")], "203.0.113.9"),
        (trusted, "10.1.2.3", &[("X-Forwarded-For", "\"[2001:db8::5]:80\", 10.0.0.9")], "2001:db8::5"),
        (trusted, "unix:", &[("X-Real-IP", "203.0.113.9")], "unix:"),
        ("SecTrustedSource unix:", "unix:", &[("X-Real-IP", "203.0.113.9")], "203.0.113.9"),
        ("SecTrustedSource unix:", "10.1.2.3", &[("X-Real-IP", "203.0.113.9")], "10.1.2.3"),
    ] {
        assert_eq!(client(settings, peer, headers), expected, "{peer} {headers:?}");
    }
}

#[test]
fn a_setting_says_which_of_the_forwarded_addresses_is_the_client() {
    let client = |choice: &str, headers: &[(&str, &str)]| {
        let settings = format!("SecTrustedSource 10.0.0.0/8 client:{choice}");
        value(&settings, Request { client: "10.1.2.3", headers, ..Request::default() }, "request.client_ip")
    };
    let forwarded = &[("X-Real-IP", "1.1.1.1"), ("X-Forwarded-For", "203.0.113.1, 203.0.113.2"), ("x-forwarded-for", "10.0.0.9")][..];
    for (choice, expected) in [
        ("first", "203.0.113.1"),
        ("last-untrusted", "203.0.113.2"),
        ("1", "10.0.0.9"),
        ("3", "203.0.113.1"),
        // A request with fewer addresses did not come through all proxies.
        ("4", "10.1.2.3"),
    ] {
        assert_eq!(client(choice, forwarded), expected, "{choice}");
    }
    assert_eq!(client("last-untrusted", &[("X-Forwarded-For", "203.0.113.1, nobody, 10.0.0.9")]), "10.0.0.9");
    assert_eq!(client("last-untrusted", &[("X-Forwarded-For", "203.0.113.1, nobody")]), "10.1.2.3");
}

#[test]
fn a_site_is_what_the_host_says_or_the_settings() {
    let site =
        |settings: &str, host: &str| value(settings, Request { headers: &[("Host", host)], ..Request::default() }, "request.site_id");
    let hosts = "SecSite 7 shop.example *.shop.example\nSecSite 8 [2001:db8::1]";
    for (host, expected) in [("Shop.example:8080", "7"), ("a.shop.example", "7"), ("[2001:db8::1]:80", "8"), ("other.example", "0")] {
        assert_eq!(site(hosts, host), expected, "{host}");
    }
    assert_eq!(site(&format!("{hosts}\nSecSiteId 9"), "shop.example"), "9");
    let rules = rules("SecSiteId 9", "log(tostring(request.site_id)) return 1");
    assert_eq!(rules.judge(Request { site: Some(4), ..Request::default() }).transaction.rule_matches()[0].data(), "4");
}

#[test]
fn a_request_shows_all_its_members() {
    let members = "(function() local n = {} for k in pairs(request) do n[#n + 1] = k end table.sort(n) return table.concat(n, ' ') end)()";
    let expected = "body body_is_cut client_ip headers method peer_ip site_id timestamp uri";
    assert_eq!(value("", Request::default(), members), expected);
    assert_eq!(value("", Request::default(), "next({ a = 1 }) .. #request.headers .. type(request.other)"), "a0nil");
}

#[test]
fn a_client_without_an_address_is_on_no_list_and_has_a_rate_of_its_own() {
    let unix = Request { client: "unix:", ..Request::default() };
    assert_eq!(value("SecIpList blacklist 0.0.0.0/0", unix, "is_ip_blacklisted(request.client_ip)"), "false");
    assert_eq!(
        value("SecRateLimit 1/60", unix, "tostring(is_rate_limited('unknown')) .. tostring(is_rate_limited('unknown'))"),
        "falsetrue"
    );
}

#[test]
fn lists_are_for_a_site_or_for_all() {
    let settings =
        "SecIpList blacklist 203.0.113.0/24 2001:db8::/32\nSecIpList blacklist list.txt site:2\nSecIpList whitelist 198.51.100.7 site:1";
    let listed = |call: &str| {
        let script = format!("function should_block() log(tostring({call})) return 1 end");
        let rules = Rules::new(
            &format!("{settings}\nSecDecisionScript a.lua"),
            &[("a.lua", &script), ("list.txt", "# ours\n192.0.2.1\n192.0.2.8, 192.0.2.9\n")],
        );
        rules.judge(Request::default()).transaction.rule_matches()[0].data().into_owned()
    };
    for (call, expected) in [
        ("is_ip_blacklisted('203.0.113.200', 0)", "true"),
        ("is_ip_blacklisted('203.0.113.200', 5)", "true"),
        ("is_ip_blacklisted('203.0.114.1', 5)", "false"),
        ("is_ip_blacklisted('2001:db8:1::1', 0)", "true"),
        ("is_ip_blacklisted('::ffff:203.0.113.1', 0)", "true"),
        ("is_ip_blacklisted('192.0.2.9', 2)", "true"),
        ("is_ip_blacklisted('192.0.2.9', 0)", "false"),
        ("is_ip_blacklisted('192.0.2.9')", "false"),
        ("is_ip_whitelisted('198.51.100.7', 1)", "true"),
        ("is_ip_whitelisted('198.51.100.7', 2)", "false"),
        ("is_ip_whitelisted('203.0.113.200', 0)", "false"),
    ] {
        assert_eq!(listed(call), expected, "{call}");
    }
}

#[test]
fn bans_come_from_scripts_and_from_the_host_and_end() {
    let address: IpAddr = "192.0.2.1".parse().unwrap();
    let rules = rules(
        "",
        "if is_ip_blacklisted(request.client_ip, 3) then return 1 end if request.method == 'POST' then ban_ip(request.client_ip, 3, 0.001) end return 0",
    );
    let status = |body| rules.judge(Request { body, ..Request::default() }).status();
    assert_eq!(status(None), None);
    assert_eq!(status(Some("a=1")), None);
    assert_eq!(status(None), Some(403));
    std::thread::sleep(Duration::from_millis(80));
    assert_eq!(status(None), None);
    rules.waf.ban(address, 0, Duration::from_secs(60)).unwrap();
    assert!(
        rules.waf.is_blacklisted(address, 3).unwrap()
            && rules.waf.is_blacklisted(address, 99).unwrap()
            && !rules.waf.is_whitelisted(address, 3)
    );
    assert_eq!(status(None), Some(403));
    assert!(!rules.waf.unban(address, 3).unwrap() && rules.waf.unban(address, 0).unwrap());
    assert_eq!(status(None), None);
    let unban = value(
        "",
        Request::default(),
        "tostring(unban_ip('192.0.2.1', 0)) .. (ban_ip('192.0.2.1', 0, 1) or 'banned') .. tostring(unban_ip('192.0.2.1', 0))",
    );
    assert_eq!(unban, "falsebannedtrue");
}

#[test]
fn rates_are_limited_for_each_address() {
    let rules = rules(
        "SecRateLimit 3/60\nSecRateLimit 1/60 burst:1 site:9",
        "if is_rate_limited(request.client_ip, request.site_id) then return 1 end return 0",
    );
    let blocked = |client, site| {
        (0..5).filter(|_| rules.judge(Request { client, site: Some(site), ..Request::default() }).status().is_some()).count()
    };
    assert_eq!(blocked("192.0.2.1", 0), 2);
    assert_eq!(blocked("192.0.2.2", 0), 2);
    assert_eq!(blocked("192.0.2.1", 9), 4);
    assert_eq!(value("", Request::default(), "is_rate_limited('192.0.2.1', 0)"), "false");
}

#[test]
fn wrong_arguments_are_errors_of_the_script() {
    for (call, reason) in [
        ("is_ip_blacklisted()", "bad argument #1 to 'is_ip_blacklisted' (string expected, got no value)"),
        ("ban_ip('nobody', 0, 1)", "`nobody` is not an address"),
        ("is_ip_blacklisted('192.0.2.1', {})", "bad argument #2 to 'is_ip_blacklisted' (number expected, got table)"),
        ("is_ip_whitelisted('192.0.2.1', -1)", "-1 is not a site number"),
        ("is_ip_whitelisted('192.0.2.1', 0/0)", "NaN is not a site number"),
        ("ban_ip('192.0.2.1', 0)", "a ban lasts a number of minutes above 0"),
        ("ban_ip('192.0.2.1', 0, -5)", "a ban lasts a number of minutes above 0"),
        ("unban_ip({}, 0)", "string expected"),
        ("is_rate_limited({}, 0)", "string expected"),
        ("is_verified_crawler('nobody', 'Googlebot')", "`nobody` is not an address"),
        ("is_verified_crawler('192.0.2.1', {})", "bad argument #2 to 'is_verified_crawler'"),
        ("is_verified_crawler('192.0.2.1', 'x', {{}})", ""),
        ("is_verified_crawler('192.0.2.1', 'x', {}, 'many')", "bad argument #4 to 'is_verified_crawler'"),
        ("log()", "bad argument #1 to 'log'"),
    ] {
        let judged = rules("", &format!("local x = {call} return 1")).judge(Request::default());
        assert_eq!(judged.status(), None, "{call}");
        assert!(!failure(&judged).is_empty() && failure(&judged).contains(reason), "{call}: {}", failure(&judged));
    }
    assert_eq!(value("", Request::default(), "(ban_ip('192.0.2.77', 0, 1e300))"), "nil");
}

#[test]
fn crawlers_are_who_their_names_say() {
    let server = NameServer::start(&[
        ("66.249.66.1", "crawl-66-249-66-1.googlebot.com", &["66.249.66.1"]),
        ("192.0.2.10", "crawl.googlebot.com", &["66.249.66.99"]),
        ("192.0.2.11", "googlebot.com.example.org", &["192.0.2.11"]),
        ("2001:db8::7", "host.example.net", &["2001:db8::7"]),
    ]);
    let settings = format!("SecResolver {}\nSecResolverTimeLimit 400\nSecCrawlerFile ours.txt", server.address());
    let script = "function should_block() return is_verified_crawler(request.client_ip, request.headers['User-Agent'], {'Preview'}, 5) end";
    let files = [("a.lua", script), ("ours.txt", "our_bot example.net\n")];
    let rules = Rules::new(&format!("{settings}\nSecDecisionScript a.lua"), &files);
    // On a busy machine the answer may come after the request has passed: the next request gets it.
    let judge = |client: &str, agent: &str| {
        let headers = [("User-Agent", agent)];
        for _ in 0..100 {
            let status = rules.judge(Request { client, headers: &headers, ..Request::default() }).status();
            if !rules.said().iter().any(|said| said.contains(NOT_YET)) {
                return status;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the name server does not answer");
    };
    let is_banned = |address: &str| rules.waf.is_blacklisted(address.parse().unwrap(), 0).unwrap();
    assert_eq!(judge("66.249.66.1", GOOGLEBOT), None, "a true one");
    assert_eq!(judge("192.0.2.10", GOOGLEBOT), Some(403), "its name leads elsewhere");
    assert_eq!(judge("192.0.2.11", GOOGLEBOT), Some(403), "its name is another domain's");
    assert_eq!(judge("192.0.2.12", GOOGLEBOT), Some(403), "it has no name");
    assert_eq!(judge("192.0.2.12", "curl/8"), None, "it says nothing of the kind");
    assert_eq!(judge("2001:db8::7", "Our Bot/1.0"), None, "a true one of ours");
    assert_eq!(judge("2001:db8::8", "Our Bot/1.0"), Some(403), "a false one of ours");
    assert!(is_banned("192.0.2.10") && is_banned("192.0.2.12") && !is_banned("66.249.66.1"));
    assert_eq!(judge("192.0.2.13", "Googlebot Preview"), Some(403), "false, and exempt from the ban");
    assert!(!is_banned("192.0.2.13"));
    let asked = server.questions();
    assert_eq!(judge("192.0.2.10", GOOGLEBOT), Some(403));
    assert_eq!(server.questions(), asked, "an answer is remembered");
}

#[test]
fn a_false_crawler_that_is_found_out_behind_its_request_is_banned() {
    let server = NameServer::slow(Duration::from_millis(150));
    let settings = format!("SecResolver {}", server.address());
    let rules = rules(&settings, "return is_verified_crawler(request.client_ip, request.headers['User-Agent'], nil, 5)");
    let headers = [("User-Agent", GOOGLEBOT)];
    let began = Instant::now();
    assert_eq!(rules.judge(Request { client: "192.0.2.1", headers: &headers, ..Request::default() }).status(), None);
    assert!(began.elapsed() < Duration::from_millis(140), "{:?}", began.elapsed());
    let is_banned = || rules.waf.is_blacklisted("192.0.2.1".parse().unwrap(), 0).unwrap();
    let mut looks = (0..200).map(|_| std::thread::sleep(Duration::from_millis(20)));
    assert!(looks.any(|()| is_banned()), "it is not banned");
    assert_eq!(rules.judge(Request { client: "192.0.2.1", headers: &headers, ..Request::default() }).status(), Some(403));
}

#[test]
fn a_name_server_that_fails_blocks_nobody_and_holds_nobody_up() {
    for (server, what) in [(NameServer::silent(), "silent"), (NameServer::failing(), "failing")] {
        let settings = format!("SecResolver {}\nSecResolverTimeLimit 150", server.address());
        let rules = rules(&settings, "return is_verified_crawler(request.client_ip, request.headers['User-Agent'], nil, 5)");
        let headers = [("User-Agent", GOOGLEBOT)];
        let began = Instant::now();
        let judged = rules.judge(Request { headers: &headers, ..Request::default() });
        assert!(began.elapsed() < Duration::from_millis(500), "{what}: {:?}", began.elapsed());
        assert_eq!((judged.status(), failure(&judged)), (None, ""), "{what}");
        assert!(rules.said().iter().any(|said| said.contains(NOT_YET)), "{what}");
        assert!(!rules.waf.is_blacklisted("192.0.2.1".parse().unwrap(), 0).unwrap());
        let began = Instant::now();
        rules.judge(Request { headers: &headers, ..Request::default() });
        assert!(began.elapsed() < Duration::from_millis(100), "{what}: it is asked again at once");
    }
}

#[test]
fn a_script_that_fails_is_noticed_once_and_rules_can_read_it() {
    let flag = "SecRule TX:MSC_SCRIPT_FAILED \"@streq 1\" \"id:5,phase:3,deny,status:503\"";
    let rules = rules(flag, "return request.nothing.here");
    let (first, second) = (rules.judge(Request::default()), rules.judge(Request::default()));
    assert_eq!((first.status(), second.status()), (Some(503), Some(503)));
    let notices = first.transaction.notices();
    assert!(notices.len() == 1 && notices[0].starts_with("Script a.lua failed: a.lua:1: "), "{notices:?}");
    assert_eq!(second.transaction.notices(), [""; 0], "once a minute");
    let line = secrule::internals::record::error_log::notice(&first.transaction, &notices[0]);
    assert!(line.starts_with("ModSecurity: Error. Script a.lua failed: ") && line.contains("[unique_id \""), "{line}");
}

#[test]
fn a_script_that_fails_blocks_where_failure_is_closed() {
    for (setting, status) in [("", None), ("SecDecisionFailure open", None), ("SecDecisionFailure closed", Some(403))] {
        for script in ["return request.nothing.here", "return \"yes\"", "while true do end"] {
            let judged = rules(setting, script).judge(Request::default());
            assert_eq!(judged.status(), status, "{setting} {script}");
            assert!(!judged.transaction.notices().is_empty(), "{setting} {script}");
        }
        assert_eq!(rules(setting, "return 0").judge(Request::default()).status(), None, "{setting}");
    }
    let judged = rules("SecDecisionFailure closed\nSecDecisionStatus 503", "error('no list')").judge(Request::default());
    assert_eq!(judged.status(), Some(503));
    let [found] = judged.transaction.rule_matches() else { panic!("{:?}", judged.transaction.rule_matches()) };
    assert_eq!(found.message(), "Blocked, for decision script a.lua failed");
    assert!(found.detail().contains("no list"), "{}", found.detail());
}

#[test]
fn what_a_script_says_as_it_fails_is_one_line_of_the_error_log() {
    let rules = rules("", "error(request.uri)");
    let judged = rules.judge(Request { target: "/\"] [id \"999\"]", ..Request::default() });
    let line = secrule::internals::record::error_log::notice(&judged.transaction, &judged.transaction.notices()[0]);
    assert!(line.contains("a.lua:1: /\\x22] [id \\x22999\\x22]. [hostname") && !line.contains("[id \"999"), "{line}");
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let files = [
        ("a.lua", "function should_block() end"),
        ("lacking.lua", "function shoud_block() end"),
        ("bad.txt", "nobody\n"),
        ("lonely.txt", "lonely\n"),
    ];
    for (rules, code) in [
        ("SecDecisionScript a.lua phase:3", "E203"),
        ("SecDecisionScript a.lua phase:1 more", "E203"),
        ("SecRule ARGS a \"id:1,chain\"\nSecDecisionScript a.lua", "E203"),
        ("SecDecisionStatus 7", "E203"),
        ("SecDecisionFailure shut", "E203"),
        ("SecDecisionScript lacking.lua", "E205"),
        ("SecIpList greylist 192.0.2.1", "E203"),
        ("SecIpList blacklist", "E203"),
        ("SecIpList blacklist 192.0.2.1 site:x", "E203"),
        ("SecIpList blacklist list:", "E203"),
        ("SecIpList blacklist 192.0.2.1 list:a/b", "E203"),
        ("SecIpList whitelist list:a,list:b", "E203"),
        ("SecIpList blacklist list:a missing.txt", "E001"),
        ("SecIpList blacklist missing.txt", "E001"),
        ("SecIpList blacklist bad.txt", "E204"),
        ("SecTrustedSource 192.0.2.0/99", "E001"),
        ("SecTrustedSource unix: client:last", "E203"),
        ("SecTrustedSource unix: client:0", "E203"),
        ("SecSiteId shop", "E203"),
        ("SecSite shop.example", "E203"),
        ("SecSite 7", "E203"),
        ("SecSite 7 shop.example:80", "E203"),
        ("SecRateLimit 10", "E203"),
        ("SecRateLimit 0/60", "E203"),
        ("SecRateLimit 10/60 burst:x", "E203"),
        ("SecCrawlerFile lonely.txt", "E204"),
        ("SecResolver nobody", "E203"),
    ] {
        let refused = refusal(rules, &files);
        assert!(refused.contains(&format!("[{code}]")), "{rules}: {refused}");
    }
}
