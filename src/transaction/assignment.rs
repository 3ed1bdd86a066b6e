//! `setvar`: writes to TX and to persistent collections.

use super::Transaction;
use super::escape::{shown, text};
use crate::collection::{Collections, TxSlot};
use crate::graph::{Assignment, AssignmentChange, Pace, PersistentCollection, Rule, RuleGraph};
use crate::operator::leading_integer;
use crate::store::{Full, RecordKey, Store, StoreLimits};
use crate::vocabulary::{Limit, Variable};

impl Transaction {
    /// The assignments of a rule, done once for each value that matches, with the collections that they write to.
    pub(super) fn assign_all(&mut self, graph: &RuleGraph, rule: &Rule) {
        for (place, assignment) in rule.assignments.iter().enumerate() {
            self.open_before(graph, rule, place);
            self.debug(4, || "Running [independent] (non-disruptive) action: setvar".to_owned());
            self.assign(graph, rule, assignment);
        }
        self.open_before(graph, rule, rule.assignments.len());
    }

    /// Opens the collections that the rule opens before its assignment at a place.
    #[inline]
    fn open_before(&mut self, graph: &RuleGraph, rule: &Rule, place: usize) {
        for opening in rule.openings.iter().filter(|opening| opening.before == place) {
            self.open_collection(graph, rule, opening.collection, &opening.key);
        }
    }

    pub(super) fn assign(&mut self, graph: &RuleGraph, rule: &Rule, assignment: &Assignment) {
        match PersistentCollection::of(assignment.variable) {
            Some(collection) => self.assign_persistent(graph, rule, assignment, collection),
            None => self.assign_tx(graph, rule, assignment),
        }
    }

    fn assign_tx(&mut self, graph: &RuleGraph, rule: &Rule, assignment: &Assignment) {
        let slot = self.tx_slot(graph, rule, assignment);
        let value = match &assignment.change {
            AssignmentChange::Set(template) => Some(self.expand_text(graph, rule, template)),
            AssignmentChange::Remove => None,
            AssignmentChange::Add(template) => {
                let amount = self.amount(graph, rule, template);
                Some(self.tx_sum(slot, amount))
            }
            AssignmentChange::Subtract(template) => {
                let amount = self.amount(graph, rule, template);
                Some(self.tx_sum(slot, amount.saturating_neg()))
            }
        };
        self.collections.tx.write(slot, value);
        if let Some(value) = value.filter(|_| self.debugs(8)) {
            let key = self.expand(graph, rule, &assignment.key_template);
            let value = self.collections.arena.read(value);
            self.debug(8, || format!("Saving variable: TX:{} with value: {}", text(&key), text(value)));
        }
    }

    fn tx_slot(&mut self, graph: &RuleGraph, rule: &Rule, assignment: &Assignment) -> TxSlot {
        if let Some(name) = assignment.key.as_ref().and_then(|key| key.tx) {
            return self.collections.tx.known(name);
        }
        self.with_expanded(graph, rule, &assignment.key_template, |transaction, key| {
            let Collections { tx, arena, .. } = &mut transaction.collections;
            tx.find_or_make(&graph.tx_names, key, &mut arena.work)
        })
    }

    fn tx_sum(&mut self, slot: TxSlot, amount: i64) -> crate::collection::Text {
        let before = self.collections.tx.read(slot).map_or(0, |value| leading_integer(self.collections.arena.read(value)));
        self.collections.arena.store_number(before.saturating_add(amount))
    }

    fn amount(&mut self, graph: &RuleGraph, rule: &Rule, template: &crate::graph::Template) -> i64 {
        match template.as_literal() {
            Some(literal) => leading_integer(literal),
            None => self.with_expanded(graph, rule, template, |_, text| leading_integer(text)),
        }
    }

    fn assign_persistent(&mut self, graph: &RuleGraph, rule: &Rule, assignment: &Assignment, collection: PersistentCollection) {
        let key = self.expand(graph, rule, &assignment.key_template);
        let record = self.collections.record_key(collection, graph);
        let value = match &assignment.change {
            AssignmentChange::Set(template) => {
                let value = self.expand(graph, rule, template);
                self.keep(&record, |store, limits| store.write(&record, &key, &value, limits)).map(|()| value)
            }
            AssignmentChange::Add(template) => {
                let amount = self.amount(graph, rule, template);
                self.keep(&record, |store, limits| store.add(&record, &key, amount, limits)).map(|sum| sum.to_string().into_bytes())
            }
            AssignmentChange::Subtract(template) => {
                let amount = self.amount(graph, rule, template).saturating_neg();
                self.keep(&record, |store, limits| store.add(&record, &key, amount, limits)).map(|sum| sum.to_string().into_bytes())
            }
            AssignmentChange::Remove => return self.ask_store(|store| store.remove(&record, &key)),
        };
        if let Some(value) = value {
            self.debug(8, || {
                let name = collection.variable().name();
                format!("Saving variable: {name}:{} with value: {}", text(&key), text(&value))
            });
        }
    }

    /// Asks the store to keep a variable of a record within the limits of the rule set. Gives nothing where it is not kept.
    pub(super) fn keep<T>(&mut self, record: &RecordKey, ask: impl FnOnce(&dyn Store, StoreLimits) -> Result<T, Full>) -> Option<T> {
        if self.collections.open_records.history(record.collection).is_none() {
            let history = self.ask_store(|store| store.begin_update(record));
            self.collections.open_records.keep_history(record.collection, history);
        }
        let settings = &self.ground.graph.settings;
        let limits = StoreLimits { variables: settings.limit(Limit::StoreVariables), bytes: settings.limit(Limit::StoreBytes) };
        match self.ask_store(|store| Some(ask(store, limits)))? {
            Ok(kept) => return Some(kept),
            Err(Full::Record) => self.exceed(Limit::StoreVariables),
            Err(Full::Store) => self.exceed(Limit::StoreBytes),
        }
        None
    }

    /// Asks the store, within the time that a transaction may wait for it.
    pub(super) fn ask_store<T: Default>(&mut self, ask: impl FnOnce(&dyn Store) -> T) -> T {
        self.collections.ask_store(&self.ground.graph.settings, self.ground.store.as_ref(), ask)
    }

    /// `expirevar`: the variable goes after some seconds. Variables of TX live as long as the transaction anyway.
    pub(super) fn expire(&mut self, graph: &RuleGraph, rule: &Rule, variable: Variable, key: &[u8], seconds: &[u8]) {
        let Some(collection) = PersistentCollection::of(variable) else {
            return self.debug(4, || "Variables of TX do not expire: they live as long as the transaction.".to_owned());
        };
        let seconds = u64::try_from(leading_integer(seconds)).unwrap_or(0);
        let moment = std::time::SystemTime::now().checked_add(std::time::Duration::from_secs(seconds));
        if let Some(moment) = moment {
            let record = self.collections.record_key(collection, graph);
            self.ask_store(|store| store.expire(&record, key, moment));
            self.debug(9, || format!("(Rule: {}) {}:{} expires in {seconds} s.", rule.id, variable.name(), text(key)));
        }
    }

    /// `deprecatevar`: takes a number down by what its pace says for the time that passed. Variables of TX live too short for that.
    pub(super) fn deprecate(&mut self, graph: &RuleGraph, rule: &Rule, variable: Variable, key: &[u8], pace: &[u8]) {
        let Some(collection) = PersistentCollection::of(variable) else {
            return self.debug(4, || "Variables of TX do not go down: they live as long as the transaction.".to_owned());
        };
        let Some(known) = Pace::parse(pace) else {
            return self.debug(1, || format!("(Rule: {}) deprecatevar: `{}` is not an amount and seconds.", rule.id, shown(pace, 80)));
        };
        let record = self.collections.record_key(collection, graph);
        let left = self.ask_store(|store| store.deprecate(&record, key, known));
        if let Some(left) = left {
            self.debug(8, || format!("Saving variable: {}:{} with value: {left}", variable.name(), text(key)));
        }
    }
}
