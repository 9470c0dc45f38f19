//! The instruments that this library is checked with, for your own property tests (feature `testing`).
