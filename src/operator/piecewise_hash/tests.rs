use super::*;
use std::path::PathBuf;
use std::process::Command;

/// A folder that the test removes.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("secrule-hashes-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A generator of bytes that look random, with a given number of distinct values.
struct Noise(u64);

impl Noise {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % limit
    }

    fn bytes(&mut self, length: usize, different: usize) -> Vec<u8> {
        (0..length).map(|_| self.below(different) as u8).collect()
    }
}

/// Data of many lengths, and copies of them with changes.
fn samples() -> Vec<Vec<u8>> {
    let mut noise = Noise(11);
    let mut samples: Vec<Vec<u8>> = [b"".to_vec(), b"a".to_vec(), vec![0; 5000], vec![7; 191], b"GET / HTTP/1.1".repeat(300)].to_vec();
    for round in 0..30 {
        let (length, different) = (1 << (round % 15), [256, 4, 64, 2][round % 4]);
        let length = length + noise.below(length);
        let original = noise.bytes(length, different);
        for changes in 1..4 {
            let mut changed = original.clone();
            for _ in 0..changes {
                let (at, size) = (noise.below(changed.len().max(1)), noise.below(40));
                let end = (at + noise.below(40)).min(changed.len());
                let put_in = noise.bytes(size, different);
                changed.splice(at..end, put_in);
            }
            samples.push(changed);
        }
        samples.push(original);
    }
    samples
}

#[test]
fn hashes_and_scores_are_those_of_ssdeep() {
    let folder = Folder::new();
    let samples = samples();
    let paths: Vec<PathBuf> = (0..samples.len()).map(|place| folder.0.join(format!("{place:04}"))).collect();
    for (path, sample) in paths.iter().zip(&samples) {
        std::fs::write(path, sample).unwrap();
    }
    let Ok(listed) = Command::new("ssdeep").arg("-b").args(&paths).output() else {
        assert!(std::env::var_os("SECRULE_REQUIRE_PEERS").is_none(), "ssdeep is required and not installed");
        return eprintln!("left out: ssdeep is not installed");
    };
    let listed = String::from_utf8(listed.stdout).unwrap();
    let theirs: Vec<PiecewiseHash> = listed.lines().filter_map(|line| PiecewiseHash::parse(line.as_bytes())).collect();
    let ours: Vec<PiecewiseHash> = samples.iter().map(|sample| PiecewiseHash::of(sample)).collect();
    assert_eq!(theirs.len(), samples.len());
    for ((path, sample), (ours, theirs)) in paths.iter().zip(&samples).zip(ours.iter().zip(&theirs)) {
        assert_eq!(ours, theirs, "{}: {} bytes", path.display(), sample.len());
    }
    std::fs::write(folder.0.join("list"), &listed).unwrap();
    let list = folder.0.join("list");
    let compared = Command::new("ssdeep").args(["-a", "-c", "-b", "-m"]).arg(&list).args(&paths).output().unwrap();
    let (mut asked, mut alike) = (0, 0);
    for line in String::from_utf8(compared.stdout).unwrap().lines() {
        let parts: Vec<&str> = line.split(',').map(|part| part.trim_matches('"')).collect();
        let [one, other, score] = parts[..] else { panic!("{line}") };
        let hash = |name: &str| &ours[name.rsplit(':').next().unwrap().parse::<usize>().unwrap()];
        assert_eq!(hash(one).compared().score(hash(other)).to_string(), score, "{line}: {} {}", hash(one), hash(other));
        asked += 1;
        alike += usize::from(!["0", "100"].contains(&score));
    }
    assert!(asked > 10_000 && alike > 100, "{asked} {alike}");
}

#[test]
fn what_is_no_hash_is_told_apart() {
    for hash in ["3::", "96:abc:de", "96:abc:de,\"a, file:x\""] {
        assert!(PiecewiseHash::parse(hash.as_bytes()).is_some(), "{hash}");
    }
    let long = format!("96:{}:a", "ab".repeat(33));
    for line in ["", "96", "96:abc", "5:abc:de", "x:abc:de", "96:a c:de", "ssdeep,1.1--blocksize:hash:hash,filename", &long] {
        assert!(PiecewiseHash::parse(line.as_bytes()).is_none(), "{line}");
    }
}
