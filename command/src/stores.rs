//! The kinds of stores that this build has, and how a verb opens one.

use secrule::internals::open_store;
use secrule::{Store, StoreKind, WafBuilder};
use std::path::Path;
use std::sync::Arc;

/// The kinds, besides memory.
pub const KINDS: &[StoreKind] = &[
    #[cfg(feature = "lmdb")]
    secrule_lmdb::LmdbStore::KIND,
    #[cfg(feature = "redis")]
    secrule_redis::RedisStore::KIND,
];

/// Adds all kinds to a builder.
pub fn known(builder: WafBuilder) -> WafBuilder {
    KINDS.iter().fold(builder, |builder, kind| builder.store_kind(*kind))
}

/// Returns the store of rules that name none: that of the C library in the folder of `SecDataDir`, or one in memory.
#[cfg(feature = "worlds")]
pub fn of_settings(settings: &secrule::internals::graph::Settings) -> Arc<dyn Store> {
    #[cfg(feature = "lmdb")]
    if let Some(folder) = settings.data_folder.as_ref().filter(|_| settings.collection_store.is_none()) {
        return Arc::new(secrule_lmdb::LmdbStore::in_folder(folder, secrule_lmdb::LmdbStore::SIZE));
    }
    let _ = settings;
    Arc::new(secrule::MemoryStore::new())
}

/// Opens the store at an address. If it is a file, it must exist, unless the verb may make it.
///
/// # Errors
/// The reason, with a remedy.
pub fn open(address: &str, may_make: bool) -> Result<Arc<dyn Store>, String> {
    let store = open_store(address, KINDS).map_err(|error| error.to_string())?;
    #[cfg(feature = "lmdb")]
    if StoreKind::scheme(address) == "lmdb" {
        lmdb::check(&secrule_lmdb::LmdbStore::parse(address).map_err(|error| error.to_string())?, may_make)?;
    }
    let _ = may_make;
    Ok(store)
}

/// Returns the address with a size at which a verb drops nothing that is there: an address that names none means the default, and the server may have
/// been told a larger one.
pub fn without_limit(address: String) -> String {
    #[cfg(feature = "lmdb")]
    if StoreKind::scheme(&address) == "lmdb" && !address.contains('?') {
        return lmdb::with_size(address);
    }
    address
}

/// Opens the store that the C library keeps in the folder of `SecDataDir`.
///
/// # Errors
/// The reason, with a remedy.
#[cfg(feature = "lmdb")]
pub fn open_folder(folder: &Path, may_make: bool) -> Result<Arc<dyn Store>, String> {
    let store = secrule_lmdb::LmdbStore::in_folder(folder, secrule_lmdb::LmdbStore::SIZE);
    lmdb::check(&store, may_make)?;
    Ok(Arc::new(store))
}

#[cfg(not(feature = "lmdb"))]
pub fn open_folder(folder: &Path, _may_make: bool) -> Result<Arc<dyn Store>, String> {
    Err(format!("{}: this build has no stores of the kind `lmdb`: build it with the feature `lmdb`", folder.display()))
}

#[cfg(feature = "lmdb")]
mod lmdb {
    use secrule_lmdb::LmdbStore;
    use std::fs;
    use std::io::ErrorKind;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::{Path, PathBuf};

    /// Checks that the file of a store can be opened by this user, and exists: a file that the administrator makes by accident would shut out the
    /// server, whose user is another one.
    pub fn check(store: &LmdbStore, may_make: bool) -> Result<(), String> {
        let file = store.file();
        match fs::metadata(&file) {
            Ok(metadata) if own_id().is_some_and(|id| id != metadata.uid()) => Err(format!(
                "{} belongs to {}, and only its user opens it: {}",
                file.display(),
                user(metadata.uid()),
                as_user(metadata.uid())
            )),
            Err(error) if error.kind() != ErrorKind::NotFound => Err(format!(
                "{}: {error}: run this as the user of the server's workers, such as `sudo -u www-data secrule …`",
                file.display()
            )),
            Err(_) if !may_make => Err(missing(&file)),
            _ => Ok(()),
        }
    }

    /// Adds a size to an address. Entries take half of it at most, and a file is never smaller than its entries.
    pub fn with_size(address: String) -> String {
        let file = LmdbStore::parse(&address).map(|store| store.file());
        let length = file.ok().and_then(|file| fs::metadata(file).ok()).map_or(0, |metadata| metadata.len());
        match length.saturating_mul(2) {
            size if size > LmdbStore::SIZE => format!("{address}?size={size}"),
            _ => address,
        }
    }

    fn missing(file: &Path) -> String {
        let shown = file.display();
        if let Some((other, id)) = of_another_user(file) {
            return format!("there is no {shown}, but there is {}, which belongs to {}: {}", other.display(), user(id), as_user(id));
        }
        format!(
            "there is no store {shown}: the server makes it when a rule first keeps something; to make it now, add --create and run this as the user \
             of the server's workers"
        )
    }

    /// Returns the file of another user in the folder of a file that is named `secrule-USER.mdb`, and that user.
    fn of_another_user(file: &Path) -> Option<(PathBuf, u32)> {
        let is_store = |name: &str| name.starts_with("secrule-") && name.ends_with(".mdb");
        if !file.file_name()?.to_str().is_some_and(is_store) {
            return None;
        }
        let mut entries = fs::read_dir(file.parent()?).ok()?.flatten();
        let other = entries.find(|entry| entry.file_name().to_str().is_some_and(is_store))?;
        Some((other.path(), other.metadata().ok()?.uid()))
    }

    fn as_user(id: u32) -> String {
        match name(id) {
            Some(name) => format!("run this as that user: `sudo -u {name} secrule …`"),
            None => format!("run this as that user: `sudo -u '#{id}' secrule …`"),
        }
    }

    fn user(id: u32) -> String {
        name(id).map_or_else(|| format!("user {id}"), |name| format!("user {name}"))
    }

    /// Returns the name of a user of this system.
    fn name(id: u32) -> Option<String> {
        let users = fs::read_to_string("/etc/passwd").ok()?;
        users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let (name, number) = (fields.next()?, fields.nth(1)?);
            (number.parse() == Ok(id)).then(|| name.to_owned())
        })
    }

    /// Returns the effective user of this process, where the system tells it in a file.
    fn own_id() -> Option<u32> {
        fs::metadata("/proc/self").ok().map(|metadata| metadata.uid())
    }
}

#[cfg(all(test, feature = "lmdb"))]
mod tests {
    use super::*;

    #[test]
    fn a_large_file_keeps_its_entries_if_the_address_names_no_size() {
        let path = std::env::temp_dir().join(format!("secrule-large-{}.mdb", std::process::id()));
        let address = format!("lmdb:{}", path.display());
        assert_eq!(without_limit(address.clone()), address);
        let file = std::fs::File::create(&path).unwrap();
        file.set_len(100 << 20).unwrap();
        assert_eq!(without_limit(address.clone()), address);
        file.set_len(1 << 30).unwrap();
        assert_eq!(without_limit(address.clone()), format!("{address}?size={}", 2_u64 << 30));
        assert_eq!(without_limit(format!("{address}?size=1M")), format!("{address}?size=1M"));
        std::fs::remove_file(path).unwrap();
        assert_eq!(without_limit("redis://a".to_owned()), "redis://a");
    }
}
