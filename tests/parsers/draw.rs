//! Random choices that are the same for the same seed (SplitMix64).

pub struct Draw(u64);

impl Draw {
    pub fn new(seed: u64) -> Self {
        Draw(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Returns a number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'t, T: ?Sized>(&mut self, from: &[&'t T]) -> &'t T {
        from[self.below(from.len())]
    }

    /// Returns a number of these, joined.
    pub fn row(&mut self, end: usize, separator: &str, mut one: impl FnMut(&mut Self) -> String) -> String {
        let count = self.below(end);
        (0..count).map(|_| one(self)).collect::<Vec<_>>().join(separator)
    }

    /// Removes, inserts, copies and replaces bytes in a few places; `words` are inserted.
    pub fn mutate(&mut self, body: &mut Vec<u8>, words: &[&[u8]]) {
        for _ in 0..=self.below(3) {
            let at = self.below(body.len() + 1);
            let end = (at + self.below(8)).min(body.len());
            match self.below(5) {
                0 => drop(body.drain(at..end)),
                1 => {
                    let word = self.pick(words).to_vec();
                    drop(body.splice(at..at, word));
                }
                2 => {
                    let copy = body[at..end].to_vec();
                    let to = self.below(body.len() + 1);
                    drop(body.splice(to..to, copy));
                }
                3 => {
                    let word = self.pick(words).to_vec();
                    drop(body.splice(at..end, word));
                }
                _ => {
                    let byte = self.below(256) as u8;
                    drop(body.splice(at..end.min(at + 1), [byte]));
                }
            }
        }
    }
}
