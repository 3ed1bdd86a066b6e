//! Loading of rule files and data files.

use super::LARGEST_FILE;
#[cfg(unix)]
use super::cache_file;
use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Reads files and expands wildcards on behalf of the compiler.
pub trait Loader {
    /// Returns the bytes of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Returns the files that match a pattern with `*`, `?` and `[…]`, sorted; empty if there are none.
    fn expand(&self, pattern: &str) -> io::Result<Vec<PathBuf>>;

    /// Returns the bytes at an https address; `key` is sent to the server. The default fetches nothing.
    fn fetch(&self, _address: &str, _key: Option<&str>) -> io::Result<Vec<u8>> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "this build does not fetch from the network; build it with the feature `remote`"))
    }

    /// Returns the path of a file that one process may keep in a folder for later ones; each user has its own. `None` if nothing is kept, which is the
    /// default.
    fn cache_file(&self, _folder: &Path, _name: &str) -> Option<PathBuf> {
        None
    }

    /// Returns the bytes of such a file; `None` if there is none.
    ///
    /// # Errors
    /// If others may have written it, or it cannot be read.
    fn read_cache(&self, _path: &Path) -> io::Result<Option<Vec<u8>>> {
        Ok(None)
    }

    /// Writes such a file, in place of one with the same name.
    ///
    /// # Errors
    /// If it cannot be written.
    fn write_cache(&self, _path: &Path, _bytes: &[u8]) -> io::Result<()> {
        Ok(())
    }

    /// Returns the paths that a path in a rule file may mean: relative to the folder of that file first, then as written.
    fn candidates(&self, written: &str, including_file: Option<&Path>) -> Vec<PathBuf> {
        let as_written = PathBuf::from(written);
        let beside = including_file.and_then(Path::parent).filter(|_| as_written.is_relative());
        let mut candidates: Vec<PathBuf> = beside.map(|folder| folder.join(written)).into_iter().collect();
        if !candidates.contains(&as_written) {
            candidates.push(as_written);
        }
        candidates
    }

    /// Returns the bytes of the first file that can be read, or the error of the first that exists.
    fn read_first(&self, candidates: &[PathBuf]) -> io::Result<Vec<u8>> {
        self.find_first(candidates).map(|(_, bytes)| bytes)
    }

    /// Returns the first file that can be read, and its bytes, or the error of the first that exists.
    fn find_first(&self, candidates: &[PathBuf]) -> io::Result<(PathBuf, Vec<u8>)> {
        let mut problem = io::Error::from(io::ErrorKind::NotFound);
        for path in candidates {
            match self.read(path) {
                Ok(bytes) => return Ok((path.clone(), bytes)),
                Err(error) if problem.kind() == io::ErrorKind::NotFound => problem = error,
                Err(_) => {}
            }
        }
        Err(problem)
    }
}

/// The files of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileSystem;

impl Loader for FileSystem {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let about = std::fs::metadata(path)?;
        let too_large = || io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {} MB", LARGEST_FILE >> 20));
        if about.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
        }
        if !about.is_file() && !is_given(path) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a pipe, a socket or a device, which may have no end"));
        }
        if about.len() > LARGEST_FILE {
            return Err(too_large());
        }
        // A file may grow in the meantime, and pipes have no size.
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(LARGEST_FILE.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LARGEST_FILE {
            return Err(too_large());
        }
        Ok(bytes)
    }

    fn expand(&self, pattern: &str) -> io::Result<Vec<PathBuf>> {
        let found = glob::glob(pattern).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.msg))?;
        found.map(|path| path.map_err(io::Error::from)).collect()
    }

    #[cfg(unix)]
    fn cache_file(&self, folder: &Path, name: &str) -> Option<PathBuf> {
        Some(folder.join(format!("{name}-{}.cache", cache_file::effective_user()?)))
    }

    #[cfg(unix)]
    fn read_cache(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        cache_file::read(path)
    }

    #[cfg(unix)]
    fn write_cache(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        cache_file::write(path, bytes)
    }

    #[cfg(feature = "remote")]
    fn fetch(&self, address: &str, key: Option<&str>) -> io::Result<Vec<u8>> {
        super::remote::fetch(address, key)
    }
}

/// Returns `true` if a path is a file descriptor that this process was given, such as the pipe of `<(command)`, or the null device.
fn is_given(path: &Path) -> bool {
    let given = ["/dev/fd", "/proc/self/fd"].iter().any(|folder| path.starts_with(folder));
    given || path == Path::new("/dev/stdin") || path == Path::new("/dev/null")
}

/// Files in memory: for tests, fuzzing and rule sets that are built into a program.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    files: BTreeMap<PathBuf, Vec<u8>>,
    addresses: BTreeMap<String, Vec<u8>>,
}

impl Memory {
    /// Makes an empty set of files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file.
    pub fn with(mut self, path: impl Into<PathBuf>, bytes: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.into(), bytes.into());
        self
    }

    /// Adds the bytes at an https address, for any key.
    pub fn with_remote(mut self, address: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        self.addresses.insert(address.into(), bytes.into());
        self
    }
}

impl Loader for Memory {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn expand(&self, pattern: &str) -> io::Result<Vec<PathBuf>> {
        let pattern = glob::Pattern::new(pattern).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.msg))?;
        let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::default() };
        Ok(self.files.keys().filter(|path| pattern.matches_path_with(path, options)).cloned().collect())
    }

    fn cache_file(&self, folder: &Path, name: &str) -> Option<PathBuf> {
        Some(folder.join(format!("{name}.cache")))
    }

    fn read_cache(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        Ok(self.files.get(path).cloned())
    }

    fn write_cache(&self, _path: &Path, _bytes: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn fetch(&self, address: &str, _key: Option<&str>) -> io::Result<Vec<u8>> {
        self.addresses.get(address).cloned().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "nothing is there"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_means_the_folder_of_the_including_file_first() {
        let paths = FileSystem.candidates("data/words.txt", Some(Path::new("/etc/waf/main.conf")));
        assert_eq!(paths, [PathBuf::from("/etc/waf/data/words.txt"), PathBuf::from("data/words.txt")]);
        assert_eq!(FileSystem.candidates("/a", Some(Path::new("/etc/x"))), [PathBuf::from("/a")]);
        assert_eq!(FileSystem.candidates("a", None), [PathBuf::from("a")]);
    }

    #[test]
    fn files_in_memory_are_expanded_in_order() {
        let files = Memory::new().with("b.conf", "").with("a.conf", "").with("c.data", "").with("deeper/d.conf", "");
        assert_eq!(files.expand("*.conf").unwrap(), [PathBuf::from("a.conf"), PathBuf::from("b.conf")]);
    }

    #[cfg(not(feature = "remote"))]
    #[test]
    fn a_build_that_does_not_fetch_says_so() {
        let error = FileSystem.fetch("https://rules.example/", None).unwrap_err();
        assert_eq!(error.to_string(), "this build does not fetch from the network; build it with the feature `remote`");
    }

    #[test]
    fn a_folder_is_not_a_rule_file() {
        assert_eq!(FileSystem.read(Path::new("/")).unwrap_err().kind(), io::ErrorKind::IsADirectory);
    }
}
