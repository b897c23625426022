//! What holds for all addresses and all strings.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use foreshow_egress::{Egress, EgressOptions};
use proptest::prelude::*;
use reqwest::{Method, Response};

use crate::case::{ADDRESS, URL};

/// https and http at their own ports.
static EGRESS: LazyLock<Egress> = LazyLock::new(|| {
    Egress::try_new(&EgressOptions {
        http: true,
        ..EgressOptions::default()
    })
    .unwrap()
});

fn code(host: &str) -> Option<&'static str> {
    let checked = EGRESS.check(&format!("https://{host}/"));
    checked.err().map(|refused| refused.code())
}

/// Any address, and the inner ones more often than chance would have them.
fn addresses() -> impl Strategy<Value = Ipv4Addr> {
    prop_oneof![
        any::<u32>(),
        any::<u32>().prop_map(|bits| 0x0a00_0000 | bits >> 8),
        any::<u32>().prop_map(|bits| 0x7f00_0000 | bits >> 8),
        any::<u32>().prop_map(|bits| 0xa9fe_0000 | bits >> 16),
        any::<u32>().prop_map(|bits| 0xac10_0000 | bits >> 12),
        any::<u32>().prop_map(|bits| 0xc0a8_0000 | bits >> 16),
        any::<u32>().prop_map(|bits| 0x6440_0000 | bits >> 10),
        any::<u32>().prop_map(|bits| 0xe000_0000 | bits >> 3),
    ]
    .prop_map(Ipv4Addr::from_bits)
}

/// What every reader of numbers makes the same address of.
fn spellings(address: Ipv4Addr) -> Vec<String> {
    let bits = address.to_bits();
    let [a, b, c, d] = address.octets();
    let (tail_of_3, tail_of_2) = (bits & 0xff_ffff, bits & 0xffff);
    let wide = |text: String| {
        text.chars()
            .map(|ascii| match ascii {
                '.' => '\u{3002}',
                digit => char::from_u32(u32::from(digit) - 0x30 + 0xff10).unwrap(),
            })
            .collect()
    };
    vec![
        format!("{address}."),
        format!("{bits}"),
        format!("{bits:#x}"),
        format!("0X{bits:X}"),
        format!("0{bits:o}"),
        format!("{a}.{tail_of_3}"),
        format!("{a}.{b}.{tail_of_2}"),
        format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("{a:#x}.0{b:o}.{tail_of_2}"),
        format!("000{a:o}.{b}.{c}.{d}"),
        wide(address.to_string()),
        address.to_string().replace('.', "%2E"),
    ]
}

/// What carries the address within one of IPv6.
fn carriers(address: Ipv4Addr) -> Vec<Ipv6Addr> {
    let bits = u128::from(address.to_bits());
    vec![
        address.to_ipv6_mapped(),
        Ipv6Addr::from_bits(bits),
        Ipv6Addr::from_bits(0xffff << 48 | bits),
        Ipv6Addr::from_bits(0x0064_ff9b << 96 | bits),
        // Three of the layouts that a local translator may choose.
        Ipv6Addr::from_bits(0x0064_ff9b_0001 << 80 | bits),
        Ipv6Addr::from_bits(0x0064_ff9b_0001 << 80 | bits << 24),
        Ipv6Addr::from_bits(0x0064_ff9b_0001 << 80 | (bits >> 16) << 64 | (bits & 0xffff) << 40),
        Ipv6Addr::from_bits(0x2002 << 112 | bits << 80),
        Ipv6Addr::from_bits(0x2002 << 112 | bits << 80 | 1),
        // Teredo: the server as it is, the client with its bits turned.
        Ipv6Addr::from_bits(0x2001 << 112 | bits << 64),
        Ipv6Addr::from_bits(0x2001 << 112 | (bits ^ 0xffff_ffff)),
    ]
}

proptest! {
    #[test]
    fn every_spelling_of_an_address_is_treated_like_the_plain_one(address in addresses()) {
        let plain = code(&address.to_string());
        for spelling in spellings(address) {
            prop_assert_eq!(code(&spelling), plain, "{}", spelling);
        }
    }

    #[test]
    fn a_carrier_of_any_address_is_refused(address in addresses()) {
        for carrier in carriers(address) {
            prop_assert_eq!(code(&format!("[{carrier}]")), Some(ADDRESS), "{}", carrier);
        }
    }

    #[test]
    fn an_address_of_ipv6_outside_of_what_is_handed_out_is_refused(bits in any::<u128>()) {
        let address = Ipv6Addr::from_bits(bits);
        if bits >> 125 != 1 {
            prop_assert_eq!(code(&format!("[{address}]")), Some(ADDRESS));
        }
    }

    #[test]
    fn an_address_of_ipv4_is_taken_as_its_own_rules_say(address in addresses()) {
        // The standard library's idea of what is inner, as far as it has one.
        let inner = address.is_private() || address.is_loopback() || address.is_link_local() || address.is_multicast()
            || address.is_broadcast() || address.is_documentation() || address.is_unspecified();
        if inner {
            prop_assert_eq!(code(&address.to_string()), Some(ADDRESS));
        }
    }

    #[test]
    fn any_text_is_checked_without_a_panic(text in any::<String>()) {
        is_sound(&text)?;
    }

    #[test]
    fn anything_that_looks_like_a_url_is_checked_without_a_panic(
        text in r"(?i:https?|ftp|file|data)?:?[/\\]{0,3}([a-z0-9%:.]{0,8}@)?(\PC{0,12}|[0-9a-fx.%]{1,20}|\[[0-9a-f:.%]{0,24}\])(:[0-9]{0,6})?[/?#\\]?\PC{0,16}"
    ) {
        is_sound(&text)?;
    }

    #[test]
    fn any_location_is_read_without_a_panic(bytes in any::<Vec<u8>>(), status in prop::sample::select(vec![301_u16, 302, 303, 307, 308])) {
        let response = http::Response::builder().status(status).header("Location", &bytes[..]).body("");
        let Ok(response) = response else {
            return Ok(());
        };
        let from = EGRESS.check("https://cdn.example/a").unwrap();
        match EGRESS.redirect(&from, &Response::from(response)) {
            Ok(target) => {
                let target = target.expect("there is a Location");
                prop_assert_eq!(target.url().scheme(), "https");
                is_sound(target.url().as_str())?;
            }
            Err(refused) => prop_assert!([ADDRESS, URL].contains(&refused.code())),
        }
    }
}

/// What is let through is what it should be, and can be asked for.
fn is_sound(text: &str) -> Result<(), TestCaseError> {
    let target = match EGRESS.check(text) {
        Ok(target) => target,
        Err(refused) => {
            prop_assert!([ADDRESS, URL].contains(&refused.code()));
            prop_assert!(!refused.to_string().is_empty() && !refused.detail().is_empty());
            return Ok(());
        }
    };
    let url = target.url();
    prop_assert!(["http", "https"].contains(&url.scheme()));
    prop_assert!(url.username().is_empty() && url.password().is_none());
    prop_assert!(!url.host_str().unwrap_or_default().is_empty());
    prop_assert!(matches!(
        (url.scheme(), url.port_or_known_default()),
        (_, Some(443)) | ("http", Some(80))
    ));
    prop_assert_eq!(EGRESS.check(url.as_str()), Ok(target.clone()));
    prop_assert!(EGRESS.request(Method::GET, &target).build().is_ok());
    prop_assert!(url.as_str().parse::<http::Uri>().is_ok());
    Ok(())
}
