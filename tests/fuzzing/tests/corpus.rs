//! Every kept input of every fuzz target keeps all promises, and so do mutations of it.
//!
//! A failure names the file, or the seed and the number of the mutation. The mutations are the same in
//! every run, so that what stood yesterday does not fall by chance today; others are looked for by
//! `FUZZ_SEED=fresh FUZZ_MUTATIONS=100 cargo test -p peermq-fuzzing`, a hundred times as many.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::SystemTime;

use peermq_fuzzing::mutation::Mutator;
use peermq_fuzzing::{TARGETS, Target};

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            run(stringify!($name));
        })*

        #[test]
        fn each_target_is_tested_and_fuzzed() {
            let mut names = TARGETS.map(|target| target.name);
            assert_eq!(names, [$(stringify!($name)),*]);
            names.sort();
            assert_eq!(entries(), names);
        }
    };
}

targets! { flight frame message head advance session receipt ranges marks store rows block backup proof api }

fn run(name: &str) {
    let target = TARGETS.into_iter().find(|target| target.name == name);
    let target = target.expect("each test is named after a target");
    let corpus = corpus(name);
    assert!(!corpus.is_empty(), "fuzz/corpus/{name} is empty");
    for (file, input) in &corpus {
        attempt(target, input, || file.clone());
    }
    let (inputs, seed): (Vec<_>, _) =
        (corpus.into_iter().map(|(_, input)| input).collect(), seed());
    println!("{name}: mutations of seed {seed}");
    let mut mutator = Mutator::new(&inputs, seed);
    for number in 0..target.mutation_count.saturating_mul(factor()) {
        let input = mutator.next_input();
        attempt(target, &input, || format!("mutation {number} of seed {seed}, {input:02x?}"));
    }
}

/// The names of libFuzzer's entries, each with its file and its part of the manifest.
fn entries() -> Vec<String> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).expect("fuzz has a manifest");
    let files = fs::read_dir(fuzz.join("fuzz_targets")).expect("fuzz has a folder of targets");
    let names = files.map(|file| {
        let path = file.expect("a folder can be listed").path();
        path.file_stem().expect("a file has a name").to_string_lossy().into_owned()
    });
    let mut names: Vec<_> = names.collect();
    names.retain(|name| {
        manifest.contains(&format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\n"))
    });
    names.sort();
    names
}

fn attempt(target: Target, input: &[u8], which: impl FnOnce() -> String) {
    if catch_unwind(AssertUnwindSafe(|| (target.run)(input))).is_err() {
        panic!("{} breaks {}", which(), target.name);
    }
}

/// The kept inputs of a target, by their names.
fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let files = fs::read_dir(&dir).expect("each target has a corpus");
    let mut files: Vec<_> = files
        .map(|file| {
            let path = file.expect("a corpus can be listed").path();
            (path.display().to_string(), fs::read(path).expect("a kept input can be read"))
        })
        .collect();
    files.sort();
    files
}

/// `FUZZ_SEED`: a number, or `fresh` for one that no run before had; without it, always the same.
fn seed() -> u64 {
    match std::env::var("FUZZ_SEED").as_deref() {
        Err(_) => 1,
        Ok("fresh") => fresh(),
        Ok(seed) => seed.parse().expect("FUZZ_SEED is a number, or fresh"),
    }
}

#[expect(clippy::disallowed_methods, reason = "chance begins somewhere, and the seed is printed")]
fn fresh() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let since = since.expect("it is after 1970");
    (u64::from(since.subsec_nanos()) << 20) ^ since.as_secs()
}

fn factor() -> u32 {
    std::env::var("FUZZ_MUTATIONS")
        .map_or(1, |factor| factor.parse().expect("FUZZ_MUTATIONS is a number"))
}
