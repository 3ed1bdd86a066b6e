//! Lists of addresses: those of `SecIpList`, and the copies of those that it names in the store.

use super::Evaluation;
use super::notice::notice;
use crate::graph::{AddressList, RuleGraph, SiteId};
use crate::store::{Lists, Need};
use std::net::IpAddr;

/// Cause of notices about a store that does not answer, while there are copies of its lists.
const LISTS: &str = "lists";

/// Brings the copies of lists up to date, before lists are asked. While the rules name no list, this takes one look at a number; while nothing changed, one
/// at the clock, too.
pub fn refresh_lists(eval: &mut Evaluation<'_>) {
    let lists = &eval.services.lists;
    if !lists.is_empty() {
        let need = lists.need();
        if need != Need::Nothing {
            refresh(eval, need);
        }
    }
}

#[cold]
fn refresh(eval: &mut Evaluation<'_>, need: Need) {
    let services = eval.services;
    let lists = &services.lists;
    let outcome = eval.state.collections.ask_store(&eval.rules.settings, services.store.as_ref(), |_, by| match lists.refresh(need, by) {
        // The copies are as good as before, so that the exchange goes on as with a store that answers.
        Err(down) if need == Need::Look => Ok(Some(down)),
        outcome => outcome.map(|()| None),
    });
    if let Some(down) = outcome.flatten() {
        notice(eval, LISTS, || format!("{down}: its lists of addresses stay as they were."));
    }
    for (name, fault) in lists.faults() {
        notice(eval, &format!("list {name}"), || fault);
    }
}

/// Returns the first list of the store that an address is on, of those that block for a site or for all sites.
pub fn blocking_list<'r>(rules: &'r RuleGraph, lists: &Lists, address: IpAddr, site: SiteId) -> Option<&'r str> {
    let mut names = for_site(rules, site, false).flat_map(|list| &list.names);
    names.find(|name| lists.contains(name, address)).map(|name| &**name)
}

/// Returns `true` if a list for a site or for all sites blocks an address.
pub fn is_on_block_list(rules: &RuleGraph, lists: &Lists, address: IpAddr, site: SiteId) -> bool {
    is_listed(rules, lists, address.to_canonical(), site, false)
}

/// Returns `true` if an allow list for the site or for all sites contains the address.
pub fn is_whitelisted(rules: &RuleGraph, lists: &Lists, address: IpAddr, site: SiteId) -> bool {
    is_listed(rules, lists, address, site, true)
}

fn is_listed(rules: &RuleGraph, lists: &Lists, address: IpAddr, site: SiteId, is_allow_list: bool) -> bool {
    let is_named = |list: &AddressList| list.names.iter().any(|name| lists.contains(name, address));
    for_site(rules, site, is_allow_list).any(|list| list.addresses.contains_address(address) || is_named(list))
}

/// Returns the block lists or allow lists that count for a site.
fn for_site(rules: &RuleGraph, site: SiteId, is_allow_list: bool) -> impl Iterator<Item = &AddressList> {
    let lists = rules.settings.decisions.lists.iter();
    lists.filter(move |list| list.is_allow_list == is_allow_list && (list.site == site || list.site == SiteId(0)))
}
