//! Persistent collections as ModSecurity v2 has them: the rate limits that people publish, the variables of every record, and when records end.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use secrule::internals::graph::PersistentCollection;
use secrule::{MemoryStore, RecordKey, Store, StoreLimits, Update, Waf};
use secrule_testkit::host::Exchange;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

thread_local! {
    /// Time by which the stores of this thread are ahead, in milliseconds.
    static AHEAD: Cell<u64> = const { Cell::new(0) };
}

fn later() -> SystemTime {
    SystemTime::now() + Duration::from_millis(AHEAD.get())
}

fn pass(seconds: f64) {
    AHEAD.set(AHEAD.get() + (seconds * 1000.0) as u64);
}

/// Rules with a store of their own.
fn waf(rules: &str) -> Waf {
    AHEAD.set(0);
    sharing(rules, &Arc::new(MemoryStore::with_clock(later)))
}

fn sharing(rules: &str, store: &Arc<MemoryStore>) -> Waf {
    let rules = format!("SecRuleEngine On\n{rules}");
    Waf::builder().rules("rules", &rules).store(store.clone()).build().unwrap_or_else(|error| panic!("{error}"))
}

/// Judges a request with a cookie; returns the status and TX:told.
fn ask(waf: &Waf, target: &str) -> (Option<u16>, String) {
    let mut transaction = waf.transaction();
    let exchange = Exchange::of(target.as_bytes(), b"").header("User-Agent", "a browser").header("Cookie", "SID=abc");
    let status = exchange.run(&mut transaction).map(|intervention| intervention.status());
    (status, transaction.tx("told").unwrap_or_default())
}

fn told(waf: &Waf, target: &str) -> String {
    ask(waf, target).1
}

/// Returns `X` for each of eight requests that is denied, and `.` for others. Before the request `pause.0`, counted from 0, some seconds pass.
fn denied(waf: &Waf, pause: (usize, f64)) -> String {
    let one = |number: usize| {
        if number == pause.0 {
            pass(pause.1);
        }
        if ask(waf, "/account").0.is_some() { 'X' } else { '.' }
    };
    (0..8).map(one).collect()
}

const ADDRESS: &str = "SecAction \"id:1,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR}\"\n";
const COUNT: &str = "SecAction \"id:2,phase:1,pass,nolog,setvar:ip.n=+1\"\n";
const LIMIT: &str = "SecRule IP:n \"@gt 3\" \"id:3,phase:1,deny,status:429\"\n";

/// No pause.
const AT_ONCE: (usize, f64) = (0, 0.0);

#[test]
fn published_rate_limits_do_what_they_are_meant_to_do() {
    let ip = |count: &str| format!("{ADDRESS}{count}{LIMIT}");
    let other = |open: &str, collection: &str| {
        format!(
            "SecAction \"id:1,phase:1,pass,nolog,{open}\"\nSecAction \"id:2,phase:1,pass,nolog,setvar:{collection}.n=+1\"\n\
             SecRule {collection}:n \"@gt 3\" \"id:3,phase:1,deny,status:429\"\n"
        )
    };
    let in_one = "phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR},setvar:ip.n=+1,expirevar:ip.n=60\"\n";
    let recipes = [
        ("all in one action", format!("SecAction \"id:1,{in_one}{LIMIT}"), AT_ONCE, "...XXXXX"),
        ("all in one rule", format!("SecRule REQUEST_METHOD \"@streq GET\" \"id:1,{in_one}{LIMIT}"), AT_ONCE, "...XXXXX"),
        ("two rules", ip(COUNT), AT_ONCE, "...XXXXX"),
        ("two rules and an expiry", ip("SecAction \"id:2,phase:1,pass,nolog,setvar:ip.n=+1,expirevar:ip.n=60\"\n"), AT_ONCE, "...XXXXX"),
        (
            "a chain that counts",
            ip(
                "SecRule REQUEST_METHOD \"@streq GET\" \"id:2,phase:1,pass,nolog,chain\"\nSecRule REQUEST_URI \"@rx .\" \"setvar:ip.n=+1\"\n",
            ),
            AT_ONCE,
            "...XXXXX",
        ),
        ("a leaky bucket", ip("SecAction \"id:2,phase:1,pass,nolog,deprecatevar:ip.n=1/10,setvar:ip.n=+1\"\n"), (5, 32.0), "...XX.XX"),
        ("an address and a browser", other("initcol:ip=%{REMOTE_ADDR}_%{REQUEST_HEADERS.User-Agent}", "ip"), AT_ONCE, "...XXXXX"),
        ("all clients together", other("initcol:global=all", "global"), AT_ONCE, "...XXXXX"),
        ("a session", other("setsid:%{REQUEST_COOKIES.SID}", "session"), AT_ONCE, "...XXXXX"),
        ("an expiry that comes", ip("SecAction \"id:2,phase:1,pass,nolog,setvar:ip.n=+1,expirevar:ip.n=1\"\n"), (6, 2.2), "...XXX.."),
        (
            "a name in another case",
            format!("{ADDRESS}SecAction \"id:2,phase:1,pass,nolog,setvar:IP.Count=+1\"\nSecRule ip:COUNT \"@gt 3\" \"id:3,phase:1,deny\""),
            AT_ONCE,
            "...XXXXX",
        ),
        (
            "a count of phase 5",
            ip("SecRule REQUEST_URI \"@beginsWith /account\" \"id:2,phase:5,pass,nolog,setvar:ip.n=+1\"\n"),
            AT_ONCE,
            "....XXXX",
        ),
        (
            "a flag that blocks for some time",
            format!(
                "{ADDRESS}SecRule IP:block \"@eq 1\" \"id:4,phase:1,deny\"\n{COUNT}\
                 SecRule IP:n \"@gt 3\" \"id:5,phase:1,deny,setvar:ip.block=1,setvar:!ip.n,expirevar:ip.block=300\""
            ),
            (6, 301.0),
            "...XXX..",
        ),
        ("a resource", other("initcol:resource=%{REQUEST_FILENAME}", "resource"), AT_ONCE, "...XXXXX"),
        (
            "changes that the record counts",
            "SecAction \"id:1,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR},setvar:ip.seen=1\"\n\
             SecRule IP:UPDATE_COUNTER \"@gt 3\" \"id:3,phase:1,deny\""
                .to_owned(),
            AT_ONCE,
            "....XXXX",
        ),
        (
            "a limit that is a variable",
            format!(
                "SecAction \"id:5,phase:1,pass,nolog,setvar:tx.most=3\"\n{ADDRESS}{COUNT}\
                 SecRule IP:n \"@gt %{{tx.most}}\" \"id:3,phase:1,deny\""
            ),
            AT_ONCE,
            "...XXXXX",
        ),
    ];
    for (name, rules, pause, meant) in &recipes {
        let waf = waf(rules);
        assert_eq!((denied(&waf, *pause), waf.report().warnings().len()), ((*meant).to_owned(), 0), "{name}");
    }
}

#[test]
fn a_record_without_a_change_for_its_timeout_is_gone() {
    let counted = |settings: &str, actions: &str| {
        let count = format!("SecAction \"id:2,phase:1,pass,nolog,setvar:ip.n=+1{actions}\"\n");
        denied(&waf(&format!("{settings}{ADDRESS}{count}{LIMIT}")), (6, 700.0))
    };
    assert_eq!(counted("", ""), "...XXXXX");
    assert_eq!(counted("SecCollectionTimeout 600\n", ""), "...XXX..");
    assert_eq!(counted("SecCollectionTimeout 0\n", ""), "...XXXXX");
    assert_eq!(counted("", ",setvar:ip.timeout=600"), "...XXX..");
    assert_eq!(counted("SecCollectionTimeout 600\n", ",setvar:IP.TimeOut=%{tx.none}800"), "...XXXXX");
    assert_eq!(counted("SecCollectionTimeout 600\n", ",expirevar:ip.n=%{tx.none}6000"), "...XXX..", "an expiry does not prolong it");
}

#[test]
fn a_timeout_is_set_changed_and_told() {
    let waf = waf(&format!(
        "SecCollectionTimeout 900\n{ADDRESS}\
         SecRule ARGS:set \"@rx .\" \"id:2,phase:1,pass,nolog,setvar:ip.timeout=%{{MATCHED_VAR}}\"\n\
         SecRule ARGS:add \"@rx .\" \"id:3,phase:1,pass,nolog,setvar:ip.timeout=+%{{MATCHED_VAR}}\"\n\
         SecRule ARGS:less \"@rx .\" \"id:4,phase:1,pass,nolog,setvar:ip.timeout=-%{{MATCHED_VAR}}\"\n\
         SecRule IP:IS_NEW \"@rx .\" \"id:5,phase:2,pass,nolog,setvar:'tx.told=%{{ip.timeout}} %{{MATCHED_VAR}}'\""
    ));
    let answers: Vec<_> = ["/", "/?set=60", "/", "/?add=30", "/?less=50", "/"].map(|target| told(&waf, target)).into();
    assert_eq!(answers, ["900 1", "60 1", "60 0", "90 0", "40 0", "40 0"]);
    pass(41.0);
    assert_eq!([told(&waf, "/"), told(&waf, "/?set=60"), told(&waf, "/?set=-1"), told(&waf, "/")], ["900 1", "60 1", "900 0", "900 1"]);
}

#[test]
fn a_change_that_sets_no_value_begins_the_timeout_anew() {
    for change in ["expirevar:ip.other=60", "setvar:!ip.other"] {
        let waf = waf(&format!(
            "SecCollectionTimeout 600\n{ADDRESS}SecRule IP:IS_NEW \"@eq 1\" \"id:2,phase:1,pass,nolog,setvar:ip.n=10\"\n\
             SecAction \"id:4,phase:1,pass,nolog,setvar:tx.told=%{{ip.update_counter}},{change}\"\n{LIMIT}"
        ));
        let counts: Vec<_> = (0..4).map(|_| (pass(400.0), ask(&waf, "/")).1).collect();
        assert_eq!(counts, ["0", "1", "2", "3"].map(|count| (Some(429), count.to_owned())), "{change}");
    }
}

/// Rules that tell all values of a target, with their names.
fn telling(target: &str) -> String {
    format!(
        "SecRule {target} \"@rx .\" \"id:90,phase:2,pass,nolog,setvar:'tx.told=%{{tx.told}} %{{MATCHED_VAR_NAME}}=%{{MATCHED_VAR}}'\"\n"
    )
}

#[test]
fn fields_are_selected_by_name_and_by_pattern_and_are_no_part_of_the_whole() {
    let answers = |target: &str| {
        let waf = waf(&format!("{ADDRESS}{COUNT}{}", telling(target)));
        [told(&waf, "/"), told(&waf, "/")].map(|told| told.replace("IP:192.0.2.7::::", ""))
    };
    let same = |told: &str| [told.to_owned(), told.to_owned()];
    assert_eq!(answers("IP:key"), same(" KEY=192.0.2.7"));
    assert_eq!(answers("&IP:KEY|&IP:Is_New|&IP:m"), same(" IP:KEY=1 IP:Is_New=1 IP:m=0"));
    assert_eq!(answers("IP:/^update_c/|IP:/^TIME/"), [" UPDATE_COUNTER=0 TIMEOUT=3600", " UPDATE_COUNTER=1 TIMEOUT=3600"]);
    assert_eq!(answers("IP:/^(KEY|is_new|n)$/|!IP:KEY"), [" n=1 IS_NEW=1", " n=2 IS_NEW=0"]);
    assert_eq!(answers("IP|&IP"), [" n=1 IP=1", " n=2 IP=1"]);
    assert_eq!(answers("&IP:/./"), [" IP:regex(.)=8", " IP:regex(.)=8"]);
    assert_eq!(answers("IP|!IP:n"), same(""));
}

#[test]
fn every_collection_has_fields_once_it_is_opened() {
    let opening = [("GLOBAL", "initcol:global"), ("IP", "initcol:ip"), ("RESOURCE", "setrsc"), ("SESSION", "setsid"), ("USER", "setuid")];
    for (name, action) in opening {
        let sign = if action.starts_with("initcol") { '=' } else { ':' };
        let tells = format!("SecAction \"id:2,phase:1,pass,nolog,setvar:'tx.told=<%{{{name}.KEY}}>%{{{name}:is_new}}'\"");
        assert_eq!(told(&waf(&tells), "/"), "<>", "{name}");
        for (key, meant) in [("%{ARGS.k}", "<>1"), ("k%{ARGS.k}", "<k>1")] {
            let opens = format!("SecAction \"id:1,phase:1,pass,nolog,{action}{sign}{key}\"\n");
            assert_eq!(told(&waf(&format!("{opens}{tells}")), "/"), meant, "{name}");
        }
    }
}

#[test]
fn a_key_of_any_length_is_told_whole() {
    let waf = waf("SecAction \"id:1,phase:1,pass,nolog,initcol:ip=%{ARGS.k},setvar:ip.n=+1\"\n\
         SecRule IP:KEY \"@streq %{ARGS.k}\" \"id:2,phase:1,pass,nolog,setvar:tx.told=%{ip.n}\"\n");
    let [one, other] = ["a", "b"].map(|end| format!("/?k={}{end}", "k".repeat(64 << 10)));
    assert_eq!([told(&waf, &one), told(&waf, &other), told(&waf, &one)], ["1", "1", "2"]);
}

#[test]
fn fields_are_not_written_except_the_timeout() {
    let waf = waf(&format!(
        "{ADDRESS}SecRule ARGS_NAMES \"@rx .\" \"id:2,phase:1,pass,nolog,setvar:ip.n=1,setvar:ip.%{{MATCHED_VAR}}=x,\
         setvar:ip.%{{MATCHED_VAR}}=+5,expirevar:ip.%{{MATCHED_VAR}}=0,deprecatevar:ip.%{{MATCHED_VAR}}=1/1\"\n{}",
        telling("IP|IP:KEY|IP:UPDATE_COUNTER")
    ));
    let answer = |target: &str| told(&waf, target).replace("IP:192.0.2.7::::", "");
    assert_eq!(answer("/?key"), " n=1 KEY=192.0.2.7 UPDATE_COUNTER=0");
    assert_eq!(answer("/?Update_Counter&IS_NEW&create_time"), " n=1 KEY=192.0.2.7 UPDATE_COUNTER=1");
    assert_eq!(answer("/"), " n=1 KEY=192.0.2.7 UPDATE_COUNTER=2");
}

#[test]
fn a_record_is_removed_by_its_key() {
    let waf = waf(&format!(
        "{ADDRESS}SecRule ARGS:a \"@streq out\" \"id:2,phase:1,pass,nolog,setvar:!ip.KEY\"\n\
         SecRule ARGS:a \"@streq in\" \"id:4,phase:1,pass,nolog,setvar:ip.n=+1,setvar:ip.timeout=60\"\n\
         SecAction \"id:5,phase:2,pass,nolog,setvar:'tx.told=%{{ip.n}} %{{ip.timeout}} %{{ip.is_new}}'\"\n"
    ));
    let answers: Vec<_> = ["/?a=in", "/?a=in", "/?a=out", "/"].map(|target| told(&waf, target)).into();
    assert_eq!(answers, ["1 60 1", "2 60 0", " 3600 1", " 3600 1"]);
}

#[test]
fn a_flag_that_is_set_again_ends_as_it_was_to_end() {
    let waf = waf(&format!(
        "{ADDRESS}SecRule ARGS:first \"@rx .\" \"id:2,phase:1,pass,nolog,setvar:ip.flag=1,expirevar:ip.flag=%{{MATCHED_VAR}}\"\n\
         SecRule ARGS:again \"@rx .\" \"id:3,phase:1,pass,nolog,setvar:ip.flag=2\"\n\
         SecAction \"id:4,phase:2,pass,nolog,setvar:tx.told=<%{{ip.flag}}>\""
    ));
    assert_eq!([told(&waf, "/?first=60"), told(&waf, "/?again=1")], ["<1>", "<2>"]);
    pass(61.0);
    assert_eq!([told(&waf, "/"), told(&waf, "/?again=1"), told(&waf, "/?first=0"), told(&waf, "/?first=-5")], ["<>", "<2>", "<>", "<>"]);
}

#[test]
fn web_applications_share_addresses_and_have_their_own_sessions() {
    let store = Arc::new(MemoryStore::with_clock(later));
    let rules = "SecAction \"id:1,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR},initcol:global=all,setsid:a,setuid:a,setrsc:a,setvar:ip.n=+1,\
        setvar:global.n=+1,setvar:session.n=+1,setvar:user.n=+1,setvar:resource.n=+1\"\n\
        SecAction \"id:2,phase:2,pass,nolog,setvar:'tx.told=%{ip.n} %{global.n} %{session.n} %{user.n} %{resource.n}'\"\n";
    let [shop, blog] = ["shop", "blog"].map(|name| sharing(&format!("SecWebAppId {name}\n{rules}"), &store));
    assert_eq!([told(&shop, "/"), told(&blog, "/"), told(&shop, "/")], ["1 1 1 1 1", "2 2 1 1 1", "3 3 2 2 2"]);
    let named = sharing(&format!("SecWebAppId news\n{rules}{}", telling("IP:n|SESSION:n")), &store);
    assert_eq!(told(&named, "/"), "4 4 1 1 1 IP:192.0.2.7::news::n=4 SESSION:a::news::n=1");
}

#[cfg(feature = "lua")]
#[test]
fn scripts_read_fields_and_set_the_timeout() {
    use secrule_testkit::exchange::{Request, Rules};
    let script = "function main()\n m.setvar('ip.key', 'x')\n m.setvar('IP.timeout', 70)\n m.setvar('ip.n', 1)\n\
         local counter = m.getvars('IP.update_counter')[1]\n\
         m.setvar('tx.told', table.concat({m.getvar('IP.IS_NEW'), m.getvar('IP:key'), m.getvar('IP.TIMEOUT'), #m.getvars('IP'), counter.name,\
         counter.value}, ' '))\nend\n";
    let rules = Rules::new(&format!("{ADDRESS}SecRuleScript tells.lua \"id:2,phase:1,pass,nolog\""), &[("tells.lua", script)]);
    let answers = [(); 3].map(|()| rules.judge(Request::default()).tx("told").unwrap());
    let told = [(1, 0), (0, 1), (0, 2)].map(|(new, count)| format!("{new} 192.0.2.1 70 1 IP:192.0.2.1::::UPDATE_COUNTER {count}"));
    assert_eq!(answers, told);
}

/// A call of the property below; names are `a` and `b`, times in milliseconds.
#[derive(Clone, Copy, Debug)]
enum Step {
    Write(bool, bool),
    Add(bool, i8),
    Remove(bool),
    Expire(bool, u16),
    SetTimeout(u16),
    Touch,
    Pass(u16),
}

/// What a record is: its variables with their expiry, its own timeout, its end, the number of changes.
#[derive(Debug, Default)]
struct Model {
    variables: BTreeMap<&'static str, (i64, Option<u64>)>,
    timeout: Option<u64>,
    end: u64,
    updates: u64,
    exists: bool,
}

impl Model {
    fn tidy(&mut self, now: u64) {
        self.variables.retain(|_, (_, expires)| expires.is_none_or(|expires| expires > now));
        if !self.exists || self.end <= now || (self.variables.is_empty() && self.timeout.is_none()) {
            *self = Self::default();
        }
    }

    fn change(&mut self, now: u64) {
        self.updates += u64::from(self.exists);
        self.exists = true;
        self.end = now + self.timeout.unwrap_or(TIMEOUT);
    }
}

/// The timeout of the property's updates, in milliseconds.
const TIMEOUT: u64 = 300;

/// The time of the property's store, in milliseconds.
fn stopped() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_000_000 + AHEAD.get())
}

#[test]
fn a_record_changes_and_ends_as_its_model_does() {
    let step = prop_oneof![
        3 => (any::<bool>(), any::<bool>()).prop_map(|(name, value)| Step::Write(name, value)),
        3 => (any::<bool>(), any::<i8>()).prop_map(|(name, amount)| Step::Add(name, amount)),
        1 => any::<bool>().prop_map(Step::Remove),
        2 => (any::<bool>(), 0..500_u16).prop_map(|(name, time)| Step::Expire(name, time)),
        1 => (0..600_u16).prop_map(Step::SetTimeout),
        1 => Just(Step::Touch),
        4 => (0..350_u16).prop_map(Step::Pass),
    ];
    let (cases, ended) = (Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(Config { cases: 500, failure_persistence: None, ..Config::default() });
    let result = runner.run(&vec(step, 1..40), |steps| {
        cases.set(cases.get() + 1);
        AHEAD.set(0);
        let (store, mut model) = (MemoryStore::with_clock(stopped), Model::default());
        let record = RecordKey::new(PersistentCollection::Ip, b"192.0.2.1", "");
        let update = Update::first(&record, StoreLimits::new(10, 1 << 20)).with_timeout(Duration::from_millis(TIMEOUT));
        let (by, name) = (Instant::now(), |first: bool| if first { "a" } else { "b" });
        for step in steps {
            let now = AHEAD.get();
            match step {
                Step::Write(first, value) => {
                    store.write(update, name(first).as_bytes(), i64::from(value).to_string().as_bytes(), by).unwrap();
                    model.variables.entry(name(first)).or_default().0 = i64::from(value);
                    model.change(now);
                }
                Step::Add(first, amount) => {
                    let sum = store.add(update, name(first).as_bytes(), amount.into(), by).unwrap().0;
                    let known = model.variables.entry(name(first)).or_default();
                    known.0 += i64::from(amount);
                    prop_assert_eq!(sum, known.0);
                    model.change(now);
                }
                Step::Remove(first) => {
                    store.remove(&record, name(first).as_bytes(), by).unwrap();
                    model.variables.remove(name(first));
                }
                Step::Expire(first, time) => {
                    store.expire(&record, name(first).as_bytes(), stopped() + Duration::from_millis(time.into()), by).unwrap();
                    model.variables.entry(name(first)).and_modify(|known| known.1 = Some(now + u64::from(time)));
                }
                Step::SetTimeout(time) => {
                    store.set_timeout(update, Duration::from_millis(time.into()), by).unwrap();
                    model.timeout = Some(time.into());
                    model.change(now);
                }
                Step::Touch => {
                    store.touch(update, by).unwrap();
                    if model.exists {
                        model.change(now);
                    }
                }
                Step::Pass(time) => AHEAD.set(now + u64::from(time)),
            }
            let existed = model.exists;
            model.tidy(AHEAD.get());
            ended.set(ended.get() + usize::from(existed && !model.exists));
            let all = model.variables.iter().map(|(name, (value, _))| (name.as_bytes().to_vec(), value.to_string().into_bytes()));
            prop_assert_eq!(store.read_all(&record, by).unwrap(), all.collect::<Vec<_>>());
            let history = store.history(&record, by).unwrap();
            let told = history.map(|history| (history.updates, history.timeout.map(|timeout| timeout.as_millis() as u64)));
            prop_assert_eq!(told, model.exists.then_some((model.updates, model.timeout)));
        }
        Ok(())
    });
    assert!(result.is_ok() && cases.get() >= 500 && ended.get() > 100, "{result:?} {} {}", cases.get(), ended.get());
}

/// Returns the codes of the warnings about rules, and about those of a second load that extends them.
fn warned(loads: &[&str]) -> Vec<&'static str> {
    let named = loads.iter().enumerate().map(|(at, rules)| (format!("load {at}"), format!("SecRuleEngine On\n{rules}")));
    let builder = named.fold(Waf::builder(), |builder, (name, rules)| builder.rules(&name, &rules));
    let waf = builder.build().unwrap_or_else(|error| panic!("{error}"));
    waf.report().warnings().iter().map(|warning| warning.code.as_str()).collect()
}

#[test]
fn writes_that_do_not_do_what_they_say_are_warned_of() {
    let counting = "SecAction \"id:2,phase:1,pass,nolog,setvar:ip.n=+1,expirevar:ip.n=7200\"\n";
    assert_eq!(warned(&[counting]), ["W234", "W233"]);
    assert_eq!(warned(&[ADDRESS, counting]), ["W233"]);
    assert_eq!(warned(&[counting, &format!("SecCollectionTimeout 7200\n{ADDRESS}")]), [] as [&str; 0]);
    assert_eq!(warned(&[ADDRESS, counting, "SecRuleUpdateActionById 1 setvar:ip.timeout=7200"]), [] as [&str; 0]);
    assert_eq!(warned(&[counting, "SecAction id:1,phase:1,pass\nSecRuleUpdateActionById 1 initcol:ip=a"]), ["W233"]);
    assert_eq!(warned(&["SecAction id:1,phase:1,pass,setvar:ip.%{ARGS.a}=1,setvar:global.n=1"]), ["W234"]);
    let often = "SecRule IP:UPDATE_COUNTER \"@gt 3\" id:3,phase:1,deny\n";
    assert_eq!((warned(&[ADDRESS, often]), warned(&[ADDRESS, often, COUNT])), (vec!["W235"], Vec::new()));
    assert_eq!(warned(&[ADDRESS, "SecRule &IP:UPDATE_COUNTER|IP:KEY \"@gt 3\" id:3,phase:1,deny\n"]), [] as [&str; 0]);
}
