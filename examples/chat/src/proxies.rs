//! Where a client comes from, if what connects to the server is a proxy.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use clap::ValueEnum;
use http::HeaderMap;
use http::header::FORWARDED;

/// The header that a proxy tells a client's address in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Forwarded {
    /// None: a client is where its connection comes from.
    Off,
    /// `X-Forwarded-For`, a list of addresses.
    XForwardedFor,
    /// `Forwarded` (RFC 7239), a list of elements of which `for` is the address.
    Forwarded,
}

/// Proxies that are believed.
///
/// Anybody can send these headers, and a client that is believed has as many addresses as it likes. So the header is read
/// only if the connection comes from a proxy that is known, and of the header only the last entry, which is what that
/// proxy has added; all before it is what the client has sent. Only one of the two headers is read, since a proxy that
/// knows one hands on the other as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxies {
    header: Forwarded,
    trusted: Vec<Network>,
}

impl Proxies {
    /// These are believed in what they write into this header.
    pub fn new(header: Forwarded, trusted: Vec<Network>) -> Self {
        Self { header, trusted }
    }

    /// Nobody is believed.
    pub fn none() -> Self {
        Self::new(Forwarded::Off, Vec::new())
    }

    /// Where the client is whose request comes from this peer: where its proxy says, or where the peer is if that is none
    /// or says nothing that can be understood.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let said = || match self.header {
            Forwarded::Off => None,
            Forwarded::XForwardedFor => address(last(headers, "x-forwarded-for")?),
            Forwarded::Forwarded => address(forwarded_for(last(headers, FORWARDED.as_str())?)?),
        };
        let peer = peer.to_canonical();
        let is_trusted = self.trusted.iter().any(|network| network.has(peer));
        is_trusted.then(said).flatten().unwrap_or(peer)
    }
}

/// The last entry of a header, over all its lines.
fn last<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let line = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    line.rsplit(',').next().map(str::trim)
}

/// What an element of `Forwarded` says after `for`.
fn forwarded_for(element: &str) -> Option<&str> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    Some(value.trim().trim_matches('"'))
}

/// An address, with a port or without, of IPv6 in brackets or without.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse();
    let address = address.or_else(|_| text.parse().map(|address: SocketAddr| address.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

/// Addresses that begin alike: `10.0.0.0/8`, or one alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    fn has(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                // A shift by all bits is none.
                let differing = u64::from(own.to_bits() ^ other.to_bits());
                differing >> (32 - self.bits) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differing = own.to_bits() ^ other.to_bits();
                differing.checked_shr(128 - self.bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, bits) = text
            .split_once('/')
            .map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|error| format!("{address:?}: {error}"))?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => all,
            Some(bits) => bits
                .parse()
                .ok()
                .filter(|&bits| bits <= all)
                .ok_or_else(|| format!("{bits:?} is no number from 0 to {all}"))?,
        };
        Ok(Self { address, bits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "10.1.2.3";

    fn client(header: Forwarded, peer: &str, lines: &[(&'static str, &str)]) -> String {
        let trusted = ["10.1.0.0/16", "fd00::/8"].map(|network| network.parse().expect("a network"));
        let proxies = Proxies::new(header, trusted.to_vec());
        let mut headers = HeaderMap::new();
        for (name, line) in lines {
            headers.append(*name, line.parse().expect("a line"));
        }
        proxies.client(peer.parse().expect("an address"), &headers).to_string()
    }

    #[test]
    fn a_client_is_where_its_proxy_says_in_the_last_entry() {
        let said = |line| client(Forwarded::XForwardedFor, PROXY, &[("x-forwarded-for", line)]);
        assert_eq!(said("203.0.113.7"), "203.0.113.7");
        assert_eq!(said("127.0.0.1, 198.51.100.1,203.0.113.7"), "203.0.113.7");
        assert_eq!(said("203.0.113.7:4711"), "203.0.113.7");
        assert_eq!(said("[2001:db8::7]:4711"), "2001:db8::7");
        assert_eq!(said("2001:db8::7"), "2001:db8::7");
        assert_eq!(said("::ffff:203.0.113.7"), "203.0.113.7");

        let said = |line| client(Forwarded::Forwarded, PROXY, &[("forwarded", line)]);
        assert_eq!(said("for=203.0.113.7"), "203.0.113.7");
        assert_eq!(
            said(r#"for=127.0.0.1;proto=http, proto=https;For="[2001:db8::7]:4711";by=10.1.2.3"#),
            "2001:db8::7"
        );
        assert_eq!(said("for=\"[2001:db8::7]\""), "2001:db8::7");
    }

    #[test]
    fn of_several_lines_the_last_counts() {
        let lines = [
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-for", "127.0.0.2, 203.0.113.7"),
        ];
        assert_eq!(client(Forwarded::XForwardedFor, PROXY, &lines), "203.0.113.7");
    }

    #[test]
    fn who_is_no_proxy_is_not_believed() {
        let lines = [("x-forwarded-for", "203.0.113.7"), ("forwarded", "for=203.0.113.7")];
        assert_eq!(client(Forwarded::XForwardedFor, "10.2.0.1", &lines), "10.2.0.1");
        assert_eq!(client(Forwarded::Forwarded, "2001:db8::1", &lines), "2001:db8::1");
        assert_eq!(client(Forwarded::Off, PROXY, &lines), PROXY, "nobody is to be believed");
        // The listening socket may be one of IPv6.
        assert_eq!(
            client(Forwarded::XForwardedFor, "::ffff:10.1.2.3", &lines),
            "203.0.113.7"
        );
        assert_eq!(client(Forwarded::Forwarded, "fd12::1", &lines), "203.0.113.7");
    }

    #[test]
    fn the_header_that_is_not_the_proxys_is_not_read() {
        let lines = [("forwarded", "for=203.0.113.7")];
        assert_eq!(client(Forwarded::XForwardedFor, PROXY, &lines), PROXY);
    }

    #[test]
    fn what_is_no_address_is_none() {
        for line in ["", "unknown", "203.0.113.7, _hidden", "203.0.113", "\u{e9}"] {
            assert_eq!(
                client(Forwarded::XForwardedFor, PROXY, &[("x-forwarded-for", line)]),
                PROXY
            );
        }
        for line in ["", "for", "for=", "by=203.0.113.7", "for=203.0.113.7, for=unknown"] {
            assert_eq!(client(Forwarded::Forwarded, PROXY, &[("forwarded", line)]), PROXY);
        }
    }

    #[test]
    fn networks_have_the_addresses_that_begin_as_they_do() {
        let has = |network: &str, address: &str| {
            let network: Network = network.parse().expect("a network");
            network.has(address.parse().expect("an address"))
        };
        assert!(has("10.1.2.3", "10.1.2.3") && !has("10.1.2.3", "10.1.2.2"));
        assert!(has("10.1.2.3/30", "10.1.2.0") && !has("10.1.2.3/30", "10.1.2.4"));
        assert!(has("0.0.0.0/0", "255.255.255.255") && !has("0.0.0.0/0", "::1"));
        assert!(has("::1", "::1") && !has("::1", "::2"));
        assert!(
            has("::/0", "ffff::") && has("2001:db8::/32", "2001:db8:ffff::") && !has("2001:db8::/32", "2001:db9::")
        );
        for wrong in ["10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0/8", "10.0.0.0/-1", "proxy"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
