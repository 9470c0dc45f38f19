//! Nothing but tests: see `tests/`. Each of them runs against each of the lobby servers.
