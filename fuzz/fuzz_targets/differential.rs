//! Generated rules and requests end alike here and in ModSecurity v3: the status, and the rules that matched with what they wrote down. Where
//! Debian's library is not installed nothing is compared.

#![no_main]

use libfuzzer_sys::fuzz_target;
use secrule_fuzz::differential::{Compared, compare};
use secrule_fuzz::peer::{LIBRARY, Peer};
use std::cell::RefCell;

thread_local! {
    static PEER: RefCell<Option<Peer>> = RefCell::new(Peer::new(LIBRARY));
}

fuzz_target!(|data: &[u8]| {
    PEER.with_borrow_mut(|peer| {
        let Some(peer) = peer else { return };
        let unexplained = compare(data, peer, &mut Compared::default());
        assert!(unexplained.is_empty(), "{unexplained:#?}");
    });
});
