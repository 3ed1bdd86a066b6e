//! Warms a rule set up: judges a few exchanges of its own before the first one of a host.
//!
//! Much is made when it is first needed: the states of automata, by the first values that enter them, tables of words, the memory of a transaction. The
//! first requests of a process would pay for that, and so would each worker that a server forks. So a load judges typical exchanges, which open the
//! prefilters that traffic opens: pages, forms, JSON, and values full of the characters and words of attacks.
//!
//! Nobody may notice. The exchanges have services of their own instead of stores, logs, resolvers and observers, and no rule stops them, so that all rules
//! run. Rules that reach out of the engine, as scripts and programs do, rule the exchanges out. Then the automata of all patterns are built that do not
//! require rare literals.

use super::{Shared, Transaction};
use crate::engine::Services;
use crate::graph::{Effect, EngineMode, Lookup, OperatorArgument, Phase, PlanPart, RuleGraph, Test};
use crate::pattern::Pattern;
use crate::resolver::{Answer, Resolver};
use crate::store::{Lists, MemoryStore};
use std::sync::Arc;

/// A request and its response.
struct Exchange {
    method: &'static str,
    target: &'static str,
    /// Content type and body.
    body: Option<(&'static str, &'static str)>,
    page: &'static str,
}

const PAGE: &str = "<!DOCTYPE html><html lang=\"en\"><head><title>Products</title><script src=\"/app.js\"></script></head>\
    <body class=\"main\"><a href=\"/products?page=2&amp;sort=price\">Next (20 of 100)</a><p>Error: none; 5% off, it's $3.</p></body></html>";

const EXCHANGES: [Exchange; 4] = [
    Exchange { method: "GET", target: "/products/list.html?page=2&sort=price&q=red%20shoes%20for%20men", body: None, page: PAGE },
    Exchange {
        method: "POST",
        target: "/cart/add.php?from=https%3A%2F%2Fshop.example%2Fproducts%3Fid%3D5%26ref%3Dhome",
        body: Some((
            "application/x-www-form-urlencoded",
            "name=O%27Neil&comment=It%27s+%22great%22%3A+%28100%25%29+%26+cheap%3B+%241%2C99%21+select+it+from+the+list%2C+or+order+by+mail\
             &markup=%3Cp+class%3D%22a%22%3E%7B%7B+name+%7D%7D%3C%2Fp%3E&file=..%2Fdocs%5Cread+me.txt&sql=1%27+or+1%3D1+union+select+a%2Cb+from+t+--+\
             &page=%22%3E%3Cscript%3Ealert%28document.cookie%29%3C%2Fscript%3E&run=%3B+cat+%2Fetc%2Fpasswd+%7C+nc+-e+%24%28id%29+%60ls%60",
        )),
        page: PAGE,
    },
    Exchange {
        method: "POST",
        target: "/api/v1/events?key=a-b_c.d~e",
        body: Some((
            "application/json",
            r#"{"id":7,"user":{"name":"Ann","mail":"ann@shop.example","agent":"Mozilla/5.0 (X11; Linux x86_64)"},
                "tags":["new","50% off"],"url":"https://shop.example/a?b=c&d=%20","data":"{\"x\":[1,2.5,true],\"y\":null}"}"#,
        )),
        page: "{\"ok\":true}",
    },
    Exchange { method: "GET", target: "/~a/b@c.d?!$'()*,;:=[]{}|^`\"<>\\%00%u0041&x[0]=-1", body: None, page: "" },
];

const HEADERS: [(&str, &str); 9] = [
    ("Host", "shop.example"),
    ("User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Safari/537.36"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    ("Accept-Language", "en-US,en;q=0.5"),
    ("Accept-Encoding", "gzip, deflate, br"),
    ("Referer", "https://shop.example/products?id=5&ref=home"),
    ("Origin", "https://shop.example"),
    ("Cookie", "session=0123456789abcdef; theme=dark; _ga=GA1.2.345678.1600000000; prefs={\"a\":\"b\"}"),
    ("Connection", "keep-alive"),
];

/// Judges a few exchanges, unnoticed.
pub fn warm_up(shared: &Shared) {
    let settings = &shared.graph.settings;
    let is_wanted = shared.graph.plan.as_ref().is_none_or(|plan| plan.has(PlanPart::WarmUp));
    if !is_wanted || settings.engine == EngineMode::Off {
        return;
    }
    if reaches_out(&shared.graph) {
        return prepare_patterns(&shared.graph);
    }
    let services = Services {
        store: Arc::new(MemoryStore::new()),
        lists: Lists::default(),
        resolver: Arc::new(NoResolver),
        debug_log: None,
        notices: Arc::default(),
        ..shared.services.clone()
    };
    let (graph, report, lineage) = (Arc::clone(&shared.graph), Arc::clone(&shared.report), shared.lineage.clone());
    let hidden = Arc::new(Shared {
        graph,
        report,
        lineage,
        services,
        audit_log: None,
        observer: None,
        times_phases: false,
        exchange_log: None,
        given: shared.given.clone(),
    });
    let judge_all = || EXCHANGES.iter().for_each(|exchange| judge(Transaction::with_id(Arc::clone(&hidden), "warm-up"), exchange));
    #[cfg(feature = "tracing")]
    tracing::subscriber::with_default(tracing::subscriber::NoSubscriber::default(), judge_all);
    #[cfg(not(feature = "tracing"))]
    judge_all();
}

fn judge(mut transaction: Transaction, exchange: &Exchange) {
    transaction.state.overrides.engine = Some(EngineMode::DetectionOnly);
    // Addresses of documentation (RFC 5737).
    let _ = transaction.process_connection("192.0.2.1", 40000, "198.51.100.1", 443);
    let _ = transaction.process_uri(exchange.target.as_bytes(), exchange.method.as_bytes(), b"1.1");
    HEADERS.iter().for_each(|(name, value)| transaction.add_request_header(name.as_bytes(), value.as_bytes()));
    if let Some((kind, body)) = exchange.body {
        transaction.add_request_header(b"Content-Type", kind.as_bytes());
        transaction.add_request_header(b"Content-Length", itoa::Buffer::new().format(body.len()).as_bytes());
    }
    let _ = transaction.process_request_headers();
    if let Some((_, body)) = exchange.body {
        let _ = transaction.append_request_body(body.as_bytes());
    }
    let _ = transaction.process_request_body();
    transaction.add_response_header(b"Content-Type", b"text/html");
    let _ = transaction.process_response_headers(200, "1.1");
    let _ = transaction.append_response_body(exchange.page.as_bytes());
    let _ = transaction.process_response_body();
    transaction.process_logging();
}

/// Builds the automata of patterns that clean traffic may search for.
fn prepare_patterns(graph: &RuleGraph) {
    for rule in &graph.rules {
        let Test::Operator { argument: OperatorArgument::Compiled { operator, .. }, .. } = &rule.test else { continue };
        if operator.required_literals().is_none_or(|required| !required.is_rare()) {
            operator.pattern().into_iter().for_each(Pattern::prepare);
        }
    }
}

/// Returns `true` if a rule may run a script or a program.
fn reaches_out(graph: &RuleGraph) -> bool {
    let runs = |effects: &[Effect]| effects.iter().any(|effect| matches!(effect, Effect::Execute(_)));
    let asks = |test: &Test| match test {
        Test::Script(_) | Test::Decision(_) => true,
        Test::Operator { argument: OperatorArgument::Lookup { lookup, .. }, .. } => {
            matches!(**lookup, Lookup::Script(_) | Lookup::Program(_))
        }
        _ => false,
    };
    Phase::ALL.iter().any(|phase| runs(&graph.defaults.at(*phase).effects))
        || graph
            .rules
            .iter()
            .any(|rule| asks(&rule.test) || runs(&rule.effects) || rule.updated.iter().any(|updated| runs(&updated.effects)))
}

/// A resolver that knows no name.
#[derive(Debug)]
struct NoResolver;

impl Resolver for NoResolver {
    fn resolve(&self, _: &str) -> Answer {
        Answer::Nothing
    }
}
