//! Who a client is. These are the functions to replace before real users come.

/// The user whom a token stands for, as far as that can be read off it at once; `None` if it stands for nobody, and the
/// client is closed with 4001 `unauthorized`.
///
/// **This is a demo: it believes everyone.** The token is the user's name. A real server verifies a signature here and
/// takes the name from there. It must not wait for anything, or a whole server would wait with it: what takes time is
/// for [`is_good`].
pub(crate) fn authenticate(token: &str) -> Option<String> {
    (!token.is_empty()).then(|| token.to_owned())
}

/// What a service says that has to be asked: whether the token was revoked, say. Until it answers, a seat is reserved for
/// the client.
///
/// **This is a demo: nobody is asked**, and the answer is always yes. It comes after the time that `--auth-delay` says,
/// which is no time if not said otherwise: then no seat need be reserved, and the client is let in at once. A real server
/// sends its question when [`knock`](crate::Chat::knock) has reserved the seat, and calls
/// [`decided`](crate::Chat::decided) when the answer has come.
pub(crate) const fn is_good(_token: &str) -> bool {
    true
}
