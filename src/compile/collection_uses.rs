//! Persistent collections as rules use them: warnings about writes that have no effect, or another one than it seems.

use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{Assignment, AssignmentChange, Effect, PersistentCollection, RecordField, Selector, Settings, Template};
use crate::operator::leading_integer;
use crate::source::Span;
use crate::vocabulary::Variable;

/// The uses of persistent collections that only all rules together show to be right or wrong.
#[derive(Clone, Default)]
pub struct CollectionUses {
    /// The collections that a rule opens.
    opened: [bool; PersistentCollection::ALL.len()],
    /// The collections with records whose timeout a rule sets.
    timed: [bool; PersistentCollection::ALL.len()],
    /// The first place at which a rule writes to each collection.
    written: [Option<Span>; PersistentCollection::ALL.len()],
    /// The first place at which a rule reads how often a record of each collection changed.
    counted: [Option<(RecordField, Span)>; PersistentCollection::ALL.len()],
    /// `true` if there are scripts: they may write to each collection.
    has_scripts: bool,
    /// The seconds after which variables expire.
    expiries: Vec<(PersistentCollection, Box<str>, u64, Span)>,
}

impl CollectionUses {
    /// Notes a `setvar`. Returns a warning if it has no effect.
    pub fn note_assignment(&mut self, assignment: &Assignment, span: Span) -> Option<Diagnostic> {
        let collection = PersistentCollection::of(assignment.variable)?;
        self.note_write(collection, span);
        let field = field(&assignment.key_template)?;
        match (field, &assignment.change) {
            (RecordField::Key, AssignmentChange::Remove) => None,
            (RecordField::Timeout, AssignmentChange::Remove) => {
                Some(read_only(collection, field, "setvar", span, String::from("set it to another number of seconds")))
            }
            (RecordField::Timeout, _) => {
                *self.timed.get_mut(collection as usize)? = true;
                None
            }
            _ => {
                let hint = match field {
                    RecordField::Key => format!("write another name, or setvar:!{}.key to remove the record", lower(collection)),
                    _ => String::from("write another name"),
                };
                Some(read_only(collection, field, "setvar", span, hint))
            }
        }
    }

    /// Notes a target whose values a rule tests.
    pub fn note_target(&mut self, variable: Variable, selector: &Selector, span: Span) {
        let Selector::Key(key) = selector else { return };
        let Some(collection) = PersistentCollection::of(variable) else { return };
        if let Some(field @ (RecordField::UpdateCounter | RecordField::UpdateRate)) = RecordField::find(&key.text)
            && let Some(first) = self.counted.get_mut(collection as usize)
        {
            first.get_or_insert((field, span));
        }
    }

    /// Notes a script.
    pub fn note_script(&mut self) {
        self.has_scripts = true;
    }

    /// Notes an action on a persistent collection. Returns a warning if it has no effect, or another one than it seems.
    pub fn note_effect(&mut self, effect: &Effect, span: Span) -> Option<Diagnostic> {
        match effect {
            Effect::OpenCollection { collection, .. } => {
                *self.opened.get_mut(*collection as usize)? = true;
                None
            }
            Effect::Expire { variable, key, seconds } => match PersistentCollection::of(*variable) {
                Some(collection) => self.note_expiry(collection, key, seconds, span),
                None => Some(of_transaction(*variable, "expirevar", span)),
            },
            Effect::Deprecate { variable, key, .. } => match PersistentCollection::of(*variable) {
                Some(collection) => {
                    self.note_write(collection, span);
                    let field = field(key)?;
                    Some(read_only(collection, field, "deprecatevar", span, String::from("name a variable that rules set")))
                }
                None => Some(of_transaction(*variable, "deprecatevar", span)),
            },
            _ => None,
        }
    }

    fn note_expiry(&mut self, collection: PersistentCollection, key: &Template, seconds: &Template, span: Span) -> Option<Diagnostic> {
        self.note_write(collection, span);
        let name = lower(collection);
        if let Some(field) = field(key) {
            let hint = format!("write setvar:{name}.timeout={} to remove the record after that time without a change", seconds.source());
            return Some(read_only(collection, field, "expirevar", span, hint));
        }
        let written = seconds.as_literal()?;
        match u64::try_from(leading_integer(written)).ok().filter(|seconds| *seconds > 0) {
            Some(seconds) => {
                self.expiries.push((collection, key.source().into(), seconds, span));
                None
            }
            None => {
                let message = format!("this expirevar removes `{name}.{}` at once", key.source());
                let hint = format!("write a number of seconds above 0, or setvar:!{name}.{} if that is meant", key.source());
                Some(Diagnostic::new(Code::NoExpiry, span, message).hint(hint))
            }
        }
    }

    fn note_write(&mut self, collection: PersistentCollection, span: Span) {
        if let Some(first) = self.written.get_mut(collection as usize) {
            first.get_or_insert(span);
        }
    }

    /// Adds uses in rules that were read before.
    pub fn add(&mut self, others: &Self) {
        for (known, other) in self.opened.iter_mut().chain(&mut self.timed).zip(others.opened.iter().chain(&others.timed)) {
            *known |= other;
        }
        for (known, other) in self.written.iter_mut().zip(&others.written) {
            *known = known.or(*other);
        }
        for (known, other) in self.counted.iter_mut().zip(&others.counted) {
            *known = known.or(*other);
        }
        self.has_scripts |= others.has_scripts;
        self.expiries.extend_from_slice(&others.expiries);
    }

    /// Warns of collections that rules write to and never open, of variables that expire after their record is removed, and of counts of changes in
    /// collections that rules never change.
    pub fn warnings(&self, settings: &Settings) -> Vec<Diagnostic> {
        let unopened = PersistentCollection::ALL.into_iter().filter_map(|collection| {
            let span = self.written.get(collection as usize).copied().flatten()?;
            let is_opened = self.opened.get(collection as usize).is_some_and(|opened| *opened);
            // All clients together is what GLOBAL is for.
            let opening = opening(collection).filter(|_| !is_opened)?;
            let message = format!("no rule opens `{}`, so all requests write to one record", collection.variable().name());
            Some(Diagnostic::new(Code::NeverOpened, span, message).hint(format!("write {opening} in an earlier rule")))
        });
        let timeout = settings.collection_timeout.as_secs();
        let is_late = |(collection, _, seconds, _): &&(PersistentCollection, Box<str>, u64, Span)| {
            *seconds > timeout && timeout != 0 && self.timed.get(*collection as usize).is_some_and(|timed| !timed)
        };
        let late = self.expiries.iter().filter(is_late).map(|(collection, key, seconds, span)| {
            let name = lower(*collection);
            let message =
                format!("`{name}.{key}` would expire after {seconds} s, but its record is removed {timeout} s after its last change");
            let hint = format!("write SecCollectionTimeout {seconds}, or setvar:{name}.timeout={seconds} beside it");
            Diagnostic::new(Code::ExpiresTooLate, *span, message).hint(hint)
        });
        let unchanged = PersistentCollection::ALL.into_iter().filter(|_| !self.has_scripts).filter_map(|collection| {
            let (field, span) = self.counted.get(collection as usize).copied().flatten()?;
            let is_unchanged = self.written.get(collection as usize).is_some_and(Option::is_none);
            let name = collection.variable().name();
            let message = format!("`{name}:{}` stays 0, because no rule changes a record of `{name}`", field.name());
            let hint = format!("write setvar:{}.seen=1 where requests are to be counted", lower(collection));
            is_unchanged.then(|| Diagnostic::new(Code::NeverChanged, span, message).hint(hint))
        });
        unopened.chain(late).chain(unchanged).collect()
    }
}

/// Returns the field of a record that a key without macros names.
fn field(key: &Template) -> Option<RecordField> {
    key.as_literal().and_then(RecordField::find)
}

/// Returns the action that opens a collection of which each client has a record.
fn opening(collection: PersistentCollection) -> Option<&'static str> {
    match collection {
        PersistentCollection::Global => None,
        PersistentCollection::Ip => Some("initcol:ip=%{REMOTE_ADDR}"),
        PersistentCollection::Resource => Some("setrsc:%{REQUEST_FILENAME}"),
        PersistentCollection::Session => Some("setsid:%{REQUEST_COOKIES.name}"),
        PersistentCollection::User => Some("setuid:%{REMOTE_USER}"),
    }
}

fn lower(collection: PersistentCollection) -> String {
    collection.variable().name().to_ascii_lowercase()
}

fn read_only(collection: PersistentCollection, field: RecordField, action: &str, span: Span, hint: String) -> Diagnostic {
    let name = collection.variable().name();
    let message = format!("`{name}:{}` belongs to the record itself, so this {action} has no effect", field.name());
    Diagnostic::new(Code::ReadOnlyField, span, message).hint(hint)
}

fn of_transaction(variable: Variable, action: &str, span: Span) -> Diagnostic {
    let message = format!("`{}` ends with the transaction, so this {action} has no effect", variable.name());
    Diagnostic::new(Code::NoExpiry, span, message).hint("write to a persistent collection, such as ip.counter, or take the action out")
}
