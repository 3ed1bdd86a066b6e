//! The example that checks the certificates of an application on all of its gateways.

use crate::server::{Server, allowed};
use crate::support::{Loaded, Scene};
use crate::text;
use crate::tls::Certificates;
use crate::{filled_server, wait_until};
use secrule_extensions::{Ending, Extensions, Filter, Run};
use secrule_host::{Outgoing, World};
use serde_json::json;
use std::time::{Duration, Instant};

/// An application in the tables of the published queries.
struct Application<'a> {
    id: u32,
    ports: &'a [u16],
    domains: &'a [&'a str],
    /// Names of certificates: of the application itself, and of all.
    certificates: &'a [&'a str],
    global: &'a [&'a str],
    gateways: &'a [&'a str],
}

impl Application<'_> {
    /// Puts it into PostgreSQL, which is `admin` in the rules, and loads the example for it.
    fn load(&self, certificates: &Certificates) -> Loaded {
        self.load_with(certificates, "", "")
    }

    fn load_with(&self, certificates: &Certificates, rules: &str, trigger: &str) -> Loaded {
        let server = filled_server();
        server.sql(&self.rows());
        let published = text::certificates();
        let (text, trigger) = if trigger.is_empty() {
            (published.replace("local app_id = nil\n", &format!("local app_id = {}\n", self.id)), "cron:\"0 0 * * *\"")
        } else {
            (published.replace("-- local app_id = ", "local app_id = "), trigger)
        };
        assert_ne!(text, published);
        let scene = Scene::new().rules(&format!("SecExtensionDatabase admin {}\n{rules}", server.address("postgres")));
        let mut loaded = scene.extension("certificates.lua", &text, trigger).load();
        let builder = Outgoing::builder().allowed(allowed(&["127.0.0.0/8:*"]));
        loaded.outgoing = builder.authorities(&certificates.authority()).unwrap().build();
        loaded
    }

    fn rows(&self) -> String {
        let id = self.id;
        let ports: Vec<String> = self.ports.iter().map(u16::to_string).collect();
        let mut sql = format!("insert into applications values ({id}, '{{{}}}'); ", ports.join(","));
        for domain in self.domains {
            sql += &format!("insert into applications_domains values ({id}, '{domain}', {}); ", domain.starts_with('*'));
        }
        for (number, name) in self.certificates.iter().enumerate() {
            let certificate = id * 100 + u32::try_from(number).unwrap();
            sql += &format!("insert into applications_phases_ssl_cert_certs values ({certificate}, {id}, null); ");
            sql += &format!("insert into applications_phases_ssl_cert_certs_acme_host values ({certificate}, '{name}'); ");
        }
        for (number, name) in self.global.iter().enumerate() {
            let certificate = id * 100 + 50 + u32::try_from(number).unwrap();
            sql += &format!("insert into applications_phases_ssl_cert_certs values ({certificate}, {id}, {certificate}); ");
            sql += &format!("insert into global_certs values ({certificate}, '{name}'); ");
        }
        sql += &format!("insert into applications_partitions values ({id}, {id}); insert into gateway values ({id}, {id}); ");
        // One that is off, and one without an address, which nobody asks.
        sql += &format!("insert into gateway_nodes values ({id}, '127.0.0.99', null, true), ({id}, null, null, null); ");
        for address in self.gateways {
            sql += &format!("insert into gateway_nodes values ({id}, '{address}', null, null); ");
        }
        sql
    }
}

/// Returns the findings behind the head of a list, sorted: the database gives them in any order.
fn findings(output: &str, head: &str) -> Vec<String> {
    let (_, rest) = output.split_once(head).unwrap_or_else(|| panic!("no `{head}` in {output}"));
    let list = ["\nINFO: ", "\nERR: "].iter().fold(rest, |rest, end| rest.split(end).next().unwrap());
    let mut findings: Vec<String> = list.trim_end().split("\n === \n").map(str::to_owned).collect();
    findings.sort();
    findings
}

fn assert_is_fine(run: &Run) -> &str {
    assert_eq!(run.ending, Ending::Ok, "{run:?}");
    &run.output
}

pub fn an_application_must_be_named() {
    let run = Scene::new().extension("a.lua", &text::certificates(), "cron:\"0 0 * * *\"").load().run(0, None);
    assert_eq!(assert_is_fine(&run), "WARN: app_id is required\n");
}

pub fn certificates_that_are_fine_are_named() {
    let certificates = Certificates::new();
    certificates.issue("ca", "fine.example").issue("ca", "also.example").issue("ca", "*.part.example");
    let names = ["fine.example", "also.example"];
    let parts = [("fine.example", names[0]), ("also.example", names[1]), ("a.part.example", "*.part.example")];
    let (one, other) = (certificates.serve(&parts), certificates.serve(&parts));
    let application = Application {
        id: 8,
        ports: &[one.port, other.port],
        domains: &["fine.example", "also.example", "*.part.example", "plain.example"],
        certificates: &["fine.example", "a.part.example"],
        global: &["also.example"],
        gateways: &["127.0.0.1"],
    };
    let run = application.load(&certificates).run(0, None);
    let (head, names) = assert_is_fine(&run).trim_end().split_once("verified: ").unwrap();
    let mut names: Vec<&str> = names.split(',').collect();
    names.sort_unstable();
    assert_eq!((head, names), ("OK: all TLS certificates are ", vec!["a.part.example", "also.example", "fine.example"]));
    assert_eq!((one.connections(), other.connections()), (3, 3));
}

pub fn each_certificate_that_is_not_fine_is_reported_with_the_reason() {
    let certificates = Certificates::new();
    certificates.issue("ca", "fine.example").issue("ca", "elsewhere.example").issue("other", "unknown.example");
    let server = certificates.serve(&[
        ("fine.example", "fine.example"),
        ("wrong.example", "elsewhere.example"),
        ("unknown.example", "unknown.example"),
    ]);
    let names = ["fine.example", "wrong.example", "unknown.example"];
    let application = |id, gateways| Application {
        id,
        ports: std::slice::from_ref(&server.port),
        domains: &names,
        certificates: &["fine.example", "wrong.example", "unknown.example", "lost.example"],
        global: &[],
        gateways,
    };
    let run = application(7, &["127.0.0.1", "127.0.0.2"]).load(&certificates).run(0, None);
    let output = assert_is_fine(&run);
    let failed = findings(output, "ERR: following TLS certificates are failed: ");
    assert_eq!(failed.len(), 6, "{output}");
    let refused = |name: &str| format!("domain '{name}' on ip '127.0.0.2': 'connection refused");
    let mut rest = failed.iter();
    let start = "certificate with Common Name 'lost.example' not found matched host in current application '";
    assert!(rest.next().unwrap().starts_with(start), "{failed:?}");
    assert!(rest.next().unwrap().starts_with(&refused("fine.example")), "{failed:?}");
    let untrusted = "domain 'unknown.example' on ip '127.0.0.1': 'certificate: this machine does not trust its issuer'";
    assert_eq!(rest.next().unwrap(), untrusted);
    assert!(rest.next().unwrap().starts_with(&refused("unknown.example")), "{failed:?}");
    assert_eq!(rest.next().unwrap(), "domain 'wrong.example' on ip '127.0.0.1': 'certificate: it is for another name'");
    assert!(rest.next().unwrap().starts_with(&refused("wrong.example")), "{failed:?}");
    assert_eq!(findings(output, "INFO: following TLS certificates are verified: "), ["domain 'fine.example' on ip '127.0.0.1'"]);
    let run = application(6, &["127.0.0.2"]).load(&certificates).run(0, None);
    assert!(assert_is_fine(&run).ends_with("\nERR: no TLS certificate is verified successfully\n"), "{}", run.output);
}

pub fn wildcards_are_treated_as_the_script_says() {
    let certificates = Certificates::new();
    let silent = Server::start(|stream, _| drop(stream));
    let application = |id, domains, names| Application {
        id,
        ports: std::slice::from_ref(&silent.port),
        domains,
        certificates: names,
        global: &[],
        gateways: &["127.0.0.1"],
    };
    let run = application(9, &["*.shop.example"], &["*.shop.example"]).load(&certificates).run(0, None);
    let told = "wildcard app with wildcard cert is not supported yet: *.shop.example";
    assert_eq!(findings(assert_is_fine(&run), "are failed: "), [told]);
    // A fault of the script: it looks domains up by their rows, and so finds none to check.
    let run = application(10, &["www.shop.example"], &["*.shop.example"]).load(&certificates).run(0, None);
    assert_eq!(assert_is_fine(&run), "OK: all TLS certificates are verified: \n");
    // The point of a name is a point.
    let run = application(11, &["*.shop.example"], &["www.shopXexample", "shop.example"]).load(&certificates).run(0, None);
    assert_eq!(findings(assert_is_fine(&run), "are failed: ").len(), 2, "{}", run.output);
    assert_eq!(silent.connections(), 0);
}

pub fn a_release_checks_the_application_that_it_names() {
    let certificates = Certificates::new();
    let server = certificates.issue("ca", "fine.example").serve(&[("fine.example", "fine.example")]);
    let application = Application {
        id: 786,
        ports: &[server.port],
        domains: &["fine.example"],
        certificates: &["fine.example"],
        global: &[],
        gateways: &["127.0.0.1"],
    };
    let loaded = application.load_with(&certificates, "", "event:release");
    let extensions = Extensions::start(&loaded.services, &loaded.outgoing).unwrap();
    extensions.take_event(&json!({"type": "release", "uid": 2, "http_app_id": 786}));
    extensions.take_event(&json!({"type": "release", "uid": 2}));
    wait_until("two runs", || extensions.history(&Filter::last(10)).len() == 2);
    let outputs: Vec<String> = extensions.history(&Filter::last(10)).into_iter().map(|run| run.output).collect();
    assert_eq!(outputs, ["OK: all TLS certificates are verified: fine.example\n", "WARN: app_id is required\n"]);
    extensions.stop();
}

pub fn a_gateway_that_hangs_ends_the_run_in_time() {
    let certificates = Certificates::new();
    let silent = Server::start(|stream, _| {
        std::thread::park();
        drop(stream);
    });
    let application = Application {
        id: 12,
        ports: &[silent.port],
        domains: &["fine.example"],
        certificates: &["fine.example"],
        global: &[],
        gateways: &["127.0.0.1"],
    };
    let loaded = application.load_with(&certificates, "SecExtensionTimeLimit 3", "");
    let began = Instant::now();
    let run = loaded.run(0, None);
    assert!(matches!(&run.ending, Ending::Stopped(reason) if reason.contains("3 s")), "{run:?}");
    assert!(silent.connections() == 1 && began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

pub fn a_database_that_is_away_shows_the_fault_of_the_script() {
    let text = text::certificates().replace("local app_id = nil\n", "local app_id = 7\n");
    let scene = Scene::new().rules("SecExtensionDatabase admin postgres://postgres@127.0.0.1:1/postgres");
    let run = scene.extension("certificates.lua", &text, "cron:\"0 0 * * *\"").load().run(0, None);
    // It closes the parenthesis of the format too early.
    let line = text.lines().position(|line| line.contains("app_id: %d\"), tostring(app_id))")).unwrap() + 1;
    let expected = format!("certificates.lua:{line}: bad argument #2 to 'str_fmt' (value expected)");
    assert!(matches!(&run.ending, Ending::Error(reason) if reason.contains(&expected)), "{run:?}");
}
