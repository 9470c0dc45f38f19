//! What an operator proves to be one with.

use std::path::Path;
use std::str::FromStr;
use std::{env, fmt, fs, io};

use subtle::ConstantTimeEq;

/// Shorter ones can be guessed.
const MIN_BYTES: usize = 16;

/// A secret that the server and its operators share. It is never shown.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// The token for the address that the flag `--FLAG` opens: what stands in the file, or else in this variable. It is on
    /// no command line, which all users of the machine can read.
    ///
    /// # Errors
    /// If there is none, or none that will do.
    pub fn load(flag: &str, file: Option<&Path>, variable: &str) -> io::Result<Self> {
        let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidInput, why);
        let text = match file {
            Some(file) => fs::read_to_string(file).map_err(|error| {
                invalid(format!(
                    "cannot read the token of --{flag} from {}: {error}",
                    file.display()
                ))
            })?,
            None => env::var(variable)
                .map_err(|_| invalid(format!("--{flag} needs a token, in --{flag}-token-file or {variable}")))?,
        };
        text.parse().map_err(|error| invalid(format!("--{flag}: {error}")))
    }

    /// Whether this is the token, in a time that does not tell how much of it is right.
    pub fn is(&self, offered: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(offered).into()
    }
}

/// White space around it does not count: files end in a new line.
impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        if text.len() < MIN_BYTES {
            return Err(TokenError::TooShort);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Characters);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// A text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenError {
    /// It has less than 16 characters.
    TooShort,
    /// It has characters that cannot stand in a header: only printable ASCII can, without spaces.
    Characters,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort => write!(f, "the token has less than {MIN_BYTES} characters"),
            Self::Characters => f.write_str("the token may hold printable ASCII only, and no spaces"),
        }
    }
}

impl std::error::Error for TokenError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_itself_and_nothing_else() {
        let token: Token = "0123456789abcdef\n".parse().unwrap();
        assert!(token.is(b"0123456789abcdef"));
        for other in [
            "",
            "0123456789abcde",
            "0123456789abcdeF",
            "0123456789abcdef\n",
            "0123456789abcdef0",
        ] {
            assert!(!token.is(other.as_bytes()), "{other:?}");
        }
    }

    #[test]
    fn what_can_be_guessed_or_not_be_sent_is_refused() {
        let error = |text: &str| text.parse::<Token>().unwrap_err();
        assert_eq!(error(""), TokenError::TooShort);
        assert_eq!(error("               \n"), TokenError::TooShort);
        assert_eq!(error("0123456789abcde"), TokenError::TooShort);
        assert_eq!(error("0123456789 abcdef"), TokenError::Characters);
        assert_eq!(error("0123456789abcdefä"), TokenError::Characters);
    }

    #[test]
    fn it_does_not_show_in_a_log() {
        let token: Token = "0123456789abcdef".parse().unwrap();
        assert!(!format!("{token:?}").contains("0123"));
    }
}
