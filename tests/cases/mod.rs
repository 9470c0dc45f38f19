//! How many cases a property is given, and where the seeds of its failures are kept.

use proptest::prelude::ProptestConfig;
use proptest::test_runner::FileFailurePersistence;

/// So many cases, unless `PROPTEST_CASES` says how many. The seeds of failures are kept in this file, to be committed;
/// they are run first ever after.
pub(crate) fn cases(cases: u32, seeds: &'static str) -> ProptestConfig {
    let default = ProptestConfig::default();
    let asked_for = std::env::var_os("PROPTEST_CASES").is_some();
    ProptestConfig {
        cases: if cfg!(miri) {
            2
        } else if asked_for {
            default.cases
        } else {
            cases
        },
        max_shrink_iters: 20_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(seeds))),
        ..default
    }
}
