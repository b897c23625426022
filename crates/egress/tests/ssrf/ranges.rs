//! Every range that is not public, by addresses from within and from its edges: in a URL, and behind a name.

use crate::case::{ADDRESS, Case, Way};

macro_rules! ranges {
    ($($name:ident: $($address:literal)+;)*) => {
        $(mod $name {
            #[tokio::test]
            async fn as_literal() {
                $(super::literal($address).is_refused_and_unheard().await;)+
            }

            #[tokio::test]
            async fn as_name() {
                $(super::name(&[$address]).is_refused_and_unheard().await;)+
            }
        })*

        pub(crate) const ADDRESSES: &[&str] = &[$($($address,)+)*];
    };
}

ranges! {
    this_network: "0.0.0.0" "0.0.0.1" "0.255.255.255";
    private_10: "10.0.0.0" "10.0.0.1" "10.255.255.255";
    carriers_customers: "100.64.0.0" "100.100.100.200" "100.127.255.255";
    loopback: "127.0.0.1" "127.0.0.0" "127.8.8.8" "127.255.255.255";
    azure_platform: "168.63.129.16";
    link_local: "169.254.0.0" "169.254.169.254" "169.254.170.2" "169.254.255.255";
    private_172: "172.16.0.0" "172.17.0.1" "172.31.255.255";
    protocol_assignments: "192.0.0.0" "192.0.0.192" "192.0.0.255";
    documentation_192: "192.0.2.0" "192.0.2.255";
    relays_of_6to4: "192.88.99.0" "192.88.99.1" "192.88.99.255";
    private_192: "192.168.0.0" "192.168.1.1" "192.168.255.255";
    benchmarking: "198.18.0.0" "198.19.255.255";
    documentation_198: "198.51.100.0" "198.51.100.255";
    documentation_203: "203.0.113.0" "203.0.113.255";
    multicast: "224.0.0.0" "224.0.0.251" "239.255.255.255";
    reserved: "240.0.0.0" "255.255.255.254";
    broadcast: "255.255.255.255";

    unspecified_v6: "::";
    loopback_v6: "::1";
    compatible: "::2" "::127.0.0.1" "::10.0.0.1" "::255.255.255.255";
    mapped: "::ffff:0.0.0.0" "::ffff:127.0.0.1" "::ffff:169.254.169.254" "::ffff:93.184.216.34" "::ffff:255.255.255.255";
    translated: "::ffff:0:127.0.0.1" "::ffff:0:10.0.0.1";
    nat64: "64:ff9b::" "64:ff9b::127.0.0.1" "64:ff9b::10.0.0.1" "64:ff9b::93.184.216.34" "64:ff9b::ffff:ffff";
    local_nat64: "64:ff9b:1::" "64:ff9b:1::10.0.0.1" "64:ff9b:1:ffff:ffff:ffff:ffff:ffff";
    discarded: "100::" "100::1" "100::ffff:ffff:ffff:ffff";
    dummy_prefix: "100:0:0:1::" "100:0:0:1:ffff:ffff:ffff:ffff";
    teredo: "2001::" "2001:0:7f00:1::1" "2001:0:ffff:ffff:ffff:ffff:ffff:ffff";
    protocol_assignments_v6: "2001:1::1" "2001:2::1" "2001:10::1" "2001:20::1" "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff";
    documentation_v6: "2001:db8::" "2001:db8::1" "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff";
    of_6to4: "2002::" "2002:7f00:1::" "2002:a9fe:a9fe::1" "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    documentation_3fff: "3fff::" "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff";
    segment_routing: "5f00::" "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    unique_local: "fc00::" "fd00:ec2::254" "fd20:ce::254" "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    link_local_v6: "fe80::" "fe80::1" "fe80::a9fe:a9fe" "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    site_local: "fec0::" "fec0::1" "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    multicast_v6: "ff00::" "ff02::1" "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    not_handed_out: "1::1" "200::1" "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" "4000::" "7fff::1" "8000::" "fbff::1" "fe00::1";
}

/// The address in a URL. A leak for each is no matter in a test.
pub(crate) fn literal(address: &'static str) -> Case {
    let url = if address.contains(':') {
        format!("http://[{address}]:{{port}}/")
    } else {
        format!("http://{address}:{{port}}/")
    };
    Case {
        way: Way::Url(url.leak()),
        code: ADDRESS,
    }
}

/// A name with these addresses.
pub(crate) fn name(addresses: &'static [&'static str]) -> Case {
    Case {
        way: Way::Name("inner.example", addresses),
        code: ADDRESS,
    }
}
