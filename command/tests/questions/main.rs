//! `secrule serve` as other proxies ask it: real ones, with the configurations of `examples/serve/`.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod appsec;
#[cfg(feature = "envoy")]
mod envoy;
mod forward_auth;
mod sites;
mod support;

use secrule_testkit::trial;
use secrule_testkit::trials::{self, Needs};
use std::process::ExitCode;

/// The OWASP CRS of Debian.
const CRS: Needs = Needs::File("modsecurity-crs", &["/usr/share"]);

fn main() -> ExitCode {
    #[cfg_attr(not(feature = "envoy"), allow(unused_mut))]
    let mut trials = vec![
        trial!(forward_auth_says_what_is_missing),
        trial!(forward_auth_asks_only_trusted_peers, [Needs::OwnAddress]),
        trial!(a_body_that_did_not_come_follows_the_policy),
        trial!(redirects_and_rule_ids_reach_the_proxy),
        trial!(caddy_asks, [CRS, Needs::Program("caddy")]),
        trial!(nginx_asks, [CRS, Needs::Program("nginx")]),
        trial!(bouncers_ask_with_bodies, [CRS]),
        trial!(bouncers_need_the_key),
        trial!(a_question_has_the_rules_of_its_site_and_path),
        trial!(a_bouncer_has_the_rules_of_its_site_and_path),
        trial!(a_daemon_without_what_it_needs_does_not_start),
    ];
    #[cfg(feature = "envoy")]
    trials.extend([
        trial!(envoy_streams_bodies, [CRS, Needs::Program("envoy")]),
        trial!(envoy_buffers_bodies, [CRS, Needs::Program("envoy")]),
        trial!(envoy_streams_both_ways, [CRS, Needs::Program("envoy")]),
        trial!(envoy_hides_bodies, [CRS, Needs::Program("envoy")]),
        trial!(envoy_is_trusted, [Needs::OwnAddress, Needs::Program("envoy")]),
        trial!(envoy_has_the_rules_of_each_site_and_path, [Needs::Program("envoy")]),
        trial!(envoy_authorizes_with_bodies, [CRS, Needs::Program("envoy")]),
    ]);
    trials::run(trials)
}

use appsec::{bouncers_ask_with_bodies, bouncers_need_the_key};
#[cfg(feature = "envoy")]
use envoy::{
    envoy_authorizes_with_bodies, envoy_buffers_bodies, envoy_hides_bodies, envoy_is_trusted, envoy_streams_bodies, envoy_streams_both_ways,
};
use forward_auth::{
    a_body_that_did_not_come_follows_the_policy, a_daemon_without_what_it_needs_does_not_start, caddy_asks,
    forward_auth_asks_only_trusted_peers, forward_auth_says_what_is_missing, nginx_asks, redirects_and_rule_ids_reach_the_proxy,
};
#[cfg(feature = "envoy")]
use sites::envoy_has_the_rules_of_each_site_and_path;
use sites::{a_bouncer_has_the_rules_of_its_site_and_path, a_question_has_the_rules_of_its_site_and_path};
