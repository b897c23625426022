//! Which addresses are not public.
//!
//! A table and a look-up, no more. Its rows are what IANA's special-purpose registries call not globally reachable, what is
//! multicast or reserved, and two kinds beyond the registries: addresses that carry another one of IPv4, and a platform's own
//! services at a public address.
//!
//! Carriers are refused as a whole, and never unwrapped: whether `64:ff9b::a00:1` ends at `10.0.0.1` depends on a translator
//! that we don't know. No public host is known by such an address alone.
//!
//! IPv6 is refused wherever nothing was ever handed out to hosts: everything outside of `2000::/3`. What a future RFC sets aside
//! there is refused already.
//!
//! What no table knows: a translator with a prefix of its operator's own, and a public address that a firewall opens to us
//! alone. Where there is one of these, the network itself has to keep us out.

use std::fmt;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Addresses that are not public, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Range {
    net: IpNet,
    name: &'static str,
    /// Who says so.
    source: &'static str,
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.net, self.name, self.source)
    }
}

const fn v4(
    a: u8,
    b: u8,
    c: u8,
    d: u8,
    prefix: u8,
    name: &'static str,
    source: &'static str,
) -> Range {
    let address = std::net::Ipv4Addr::new(a, b, c, d);
    Range {
        net: IpNet::V4(Ipv4Net::new_assert(address, prefix)),
        name,
        source,
    }
}

const fn v6(bits: u128, prefix: u8, name: &'static str, source: &'static str) -> Range {
    let address = std::net::Ipv6Addr::from_bits(bits);
    Range {
        net: IpNet::V6(Ipv6Net::new_assert(address, prefix)),
        name,
        source,
    }
}

/// The narrower before the wider, so that the name is the closest one.
static RANGES: &[Range] = &[
    v4(0, 0, 0, 0, 8, "this network", "RFC 791"),
    v4(10, 0, 0, 0, 8, "private use", "RFC 1918"),
    v4(
        100,
        64,
        0,
        0,
        10,
        "shared by a carrier's customers",
        "RFC 6598",
    ),
    v4(127, 0, 0, 0, 8, "loopback", "RFC 1122"),
    v4(
        168,
        63,
        129,
        16,
        32,
        "Azure's services for its own machines",
        "Microsoft",
    ),
    v4(
        169,
        254,
        0,
        0,
        16,
        "link-local, metadata services",
        "RFC 3927",
    ),
    v4(172, 16, 0, 0, 12, "private use", "RFC 1918"),
    v4(192, 0, 0, 0, 24, "protocol assignments", "RFC 6890"),
    v4(192, 0, 2, 0, 24, "documentation", "RFC 5737"),
    v4(192, 88, 99, 0, 24, "relays of 6to4", "RFC 7526"),
    v4(192, 168, 0, 0, 16, "private use", "RFC 1918"),
    v4(198, 18, 0, 0, 15, "benchmarking", "RFC 2544"),
    v4(198, 51, 100, 0, 24, "documentation", "RFC 5737"),
    v4(203, 0, 113, 0, 24, "documentation", "RFC 5737"),
    v4(224, 0, 0, 0, 4, "multicast", "RFC 5771"),
    v4(255, 255, 255, 255, 32, "broadcast", "RFC 919"),
    v4(240, 0, 0, 0, 4, "reserved", "RFC 1112"),
    v6(0, 128, "unspecified", "RFC 4291"),
    v6(1, 128, "loopback", "RFC 4291"),
    v6(0, 96, "carries IPv4: compatible", "RFC 4291"),
    v6(0xffff << 32, 96, "carries IPv4: mapped", "RFC 4291"),
    v6(0xffff << 48, 96, "carries IPv4: translated", "RFC 2765"),
    v6(0x0064_ff9b << 96, 96, "carries IPv4: NAT64", "RFC 6052"),
    v6(
        0x0064_ff9b_0001 << 80,
        48,
        "carries IPv4: local NAT64",
        "RFC 8215",
    ),
    v6(0x0100 << 112, 64, "discarded", "RFC 6666"),
    v6(0x0100_0000_0000_0001 << 64, 64, "dummy prefix", "RFC 9780"),
    v6(0x2001 << 112, 32, "carries IPv4: Teredo", "RFC 4380"),
    v6(0x2001 << 112, 23, "protocol assignments", "RFC 2928"),
    v6(0x2001_0db8 << 96, 32, "documentation", "RFC 3849"),
    v6(0x2002 << 112, 16, "carries IPv4: 6to4", "RFC 3056"),
    v6(0x3fff << 112, 20, "documentation", "RFC 9637"),
    v6(0x5f00 << 112, 16, "segment routing", "RFC 9602"),
    v6(
        0xfc00 << 112,
        7,
        "private use, metadata services",
        "RFC 4193",
    ),
    v6(0xfe80 << 112, 10, "link-local", "RFC 4291"),
    v6(0xfec0 << 112, 10, "site-local", "RFC 3879"),
    v6(0xff00 << 112, 8, "multicast", "RFC 4291"),
    v6(0x0000 << 112, 3, "not handed out to hosts", "RFC 4291"),
    v6(0x4000 << 112, 2, "not handed out to hosts", "RFC 4291"),
    v6(0x8000 << 112, 1, "not handed out to hosts", "RFC 4291"),
];

/// The range that an address is in, where it is not public.
pub(crate) fn range_of(address: IpAddr) -> Option<&'static Range> {
    RANGES.iter().find(|range| range.net.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(address: &str) -> Option<&'static str> {
        range_of(address.parse().unwrap()).map(|range| range.name)
    }

    #[test]
    fn what_lies_right_beside_a_range_is_public() {
        for public in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.15",
            "168.63.129.17",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "191.255.255.255",
            "192.0.1.0",
            "192.0.3.0",
            "192.88.98.255",
            "192.88.100.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.255",
            "198.51.101.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "2000::",
            "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            "2001:200::",
            "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
            "2001:db9::",
            "2003::",
            "2606:4700::1111",
            "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            "3fff:1000::",
        ] {
            assert_eq!(name_of(public), None, "{public}");
        }
    }

    /// Registered for a purpose, and globally reachable all the same.
    #[test]
    fn what_the_registries_call_reachable_is_public() {
        for public in [
            "192.31.196.1",
            "192.52.193.1",
            "192.175.48.1",
            "2620:4f:8000::1",
        ] {
            assert_eq!(name_of(public), None, "{public}");
        }
    }

    #[test]
    fn the_closest_name_is_told() {
        for (address, name) in [
            ("255.255.255.255", "broadcast"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("::2", "carries IPv4: compatible"),
            ("::ffff:8.8.8.8", "carries IPv4: mapped"),
            ("2001:0:1::", "carries IPv4: Teredo"),
            ("2001:2::1", "protocol assignments"),
            ("fe80::1", "link-local"),
            ("fe00::1", "not handed out to hosts"),
        ] {
            assert_eq!(name_of(address), Some(name), "{address}");
        }
    }

    #[test]
    fn every_row_begins_where_it_says_and_is_not_hidden_by_one_above() {
        for (index, range) in RANGES.iter().enumerate() {
            assert_eq!(range.net, range.net.trunc(), "{range}");
            for above in &RANGES[..index] {
                assert!(
                    !above.net.contains(&range.net),
                    "{range} stands below {above}"
                );
            }
        }
    }
}
