//! What the fuzzer has found worth keeping is replayed without it.

use std::fs;
use std::path::{Path, PathBuf};

/// In the order of their names.
fn corpus() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/inputs");
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn the_manager_does_what_the_model_says_on_the_whole_corpus() {
    let files = corpus();
    assert!(files.len() >= 50, "the corpus has only {} files", files.len());
    let some = if cfg!(miri) { 5 } else { files.len() };
    for file in &files[..some] {
        let data = fs::read(file).unwrap();
        if let Err(difference) = lobbykeeper::testing::decode::run(&data) {
            panic!("{}:\n{difference}", file.display());
        }
    }
}

#[test]
fn both_kinds_of_files_are_in_the_corpus() {
    let logs = corpus()
        .iter()
        .filter(|file| fs::read(file).unwrap().starts_with(b"{"))
        .count();
    assert!(logs > 0 && logs < corpus().len(), "{logs} logs");
}
