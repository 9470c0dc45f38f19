//! What the fuzzer has found worth keeping is replayed without it.

mod fuzzing;

use std::fs;
use std::path::{Path, PathBuf};

/// The files of one target's corpus, in the order of their names.
fn corpus(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Says which file it was if the target panics with it.
struct Culprit<'a>(&'a Path);

impl Drop for Culprit<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this was {}", self.0.display());
        }
    }
}

fn replay(name: &str, target: fn(&[u8])) {
    let files = corpus(name);
    assert!(files.len() >= 100, "the corpus has only {} files", files.len());
    let some = if cfg!(miri) { 5 } else { files.len() };
    for file in &files[..some] {
        let _culprit = Culprit(file);
        target(&fs::read(file).unwrap());
    }
    target(b"");
    target(b"{");
}

#[test]
fn the_manager_does_what_the_model_says_on_the_whole_corpus_of_inputs() {
    replay("inputs", fuzzing::inputs);
}

#[test]
fn hostile_json_is_read_as_it_says_or_refused_on_its_whole_corpus() {
    replay("hostile_json", fuzzing::hostile_json);
}

#[test]
fn snapshots_are_refused_or_go_on_soundly_on_their_whole_corpus() {
    replay("snapshots", fuzzing::snapshots);
}

/// So the corpora lead to both of what their targets tell apart.
#[test]
fn texts_and_bytes_are_in_the_corpora() {
    for target in ["inputs", "hostile_json", "snapshots"] {
        let files = corpus(target);
        let is_text = |file: &&PathBuf| fs::read(file).unwrap().starts_with(b"{");
        let texts = files.iter().filter(is_text).count();
        assert!(texts > 0 && texts < files.len(), "{target}: {texts} texts");
    }
}
