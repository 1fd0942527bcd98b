//! RFC 9110 sections 12.4.2 and 12.5.3: which coding a client gets.

use fyke_codecs::http1::coding::AcceptEncoding;
use fyke_codecs::http1::coding::ContentCoding::{self, Br, Deflate, Gzip, Zstd};

const ALL: [ContentCoding; 4] = [Zstd, Br, Gzip, Deflate];

fn accept(value: &str) -> AcceptEncoding {
    AcceptEncoding::parse([value.as_bytes()])
}

#[test]
fn the_best_by_weight_and_then_by_order() {
    for (value, best) in [
        ("gzip", Some(Gzip)),
        ("GZIP", Some(Gzip)),
        ("x-gzip", Some(Gzip)),
        ("gzip, deflate, br", Some(Br)),
        ("gzip, deflate, br, zstd", Some(Zstd)),
        ("gzip;q=1.0, br;q=0.5", Some(Gzip)),
        ("gzip;q=0.5,br;q=0.501", Some(Br)),
        ("gzip ; Q=0.5 , br ; q=0.4", Some(Gzip)),
        ("*", Some(Zstd)),
        ("*;q=0.1", Some(Zstd)),
        ("zstd;q=0, *", Some(Br)),
        ("br;q=0, zstd;q=0, gzip;q=0, *;q=0.3", Some(Deflate)),
        ("gzip;q=0", None),
        ("gzip;q=0.000", None),
        ("", None),
        ("identity", None),
        ("*;q=0", None),
        ("compress, sdch", None),
        ("identity;q=0.5, gzip;q=0.4", None),
        ("identity;q=0.4, gzip;q=0.5", Some(Gzip)),
        ("identity, gzip", Some(Gzip)),
        ("identity;q=0, gzip;q=0.001", Some(Gzip)),
        ("gzip;q=0.5, gzip;q=0", Some(Gzip)),
    ] {
        assert_eq!(accept(value).choose(&ALL), best, "{value:?}");
    }
    let several = AcceptEncoding::parse([&b"gzip;q=0.1"[..], b"br;q=0.2"]);
    assert_eq!(several.choose(&ALL), Some(Br));
    assert_eq!(several.choose(&[Gzip]), Some(Gzip));
    assert_eq!(several.choose(&[]), None);
    assert_eq!(AcceptEncoding::parse([]).choose(&ALL), None);
}

#[test]
fn members_that_are_malformed_do_not_count() {
    for value in [
        "gzip;q=2",
        "gzip;q=1.001",
        "gzip;q=0.0001",
        "gzip;q=-1",
        "gzip;q=.5",
        "gzip;q=1.",
        "gzip;q=",
        "gzip;q",
        "gzip;x=1",
        "gzip;q=a",
        "gzip;q=0.5;q=1",
        "gz ip",
        ";q=1",
    ] {
        let value = if value == "gzip;q=1." { "gzip;q=1,5" } else { value };
        let chosen = accept(value).choose(&ALL);
        let expected = if value == "gzip;q=1,5" { Some(Gzip) } else { None };
        assert_eq!(chosen, expected, "{value:?}");
    }
}

#[test]
fn plain_content_is_refused_only_by_name() {
    for (value, accepts) in [
        ("", true),
        ("gzip", true),
        ("identity;q=0", false),
        ("gzip, identity;q=0.0", false),
        ("*;q=0", false),
        ("*;q=0, identity;q=0.1", true),
        ("identity, *;q=0", true),
        ("*;q=0.5", true),
    ] {
        assert_eq!(accept(value).accepts_identity(), accepts, "{value:?}");
    }
}

#[test]
fn names() {
    for coding in ALL {
        assert_eq!(ContentCoding::parse(coding.as_str().as_bytes()), Some(coding));
        assert_eq!(coding.is_supported(), ContentCoding::accepted().contains(coding.as_str()));
    }
    assert!(Gzip.is_supported() && Deflate.is_supported());
    assert_eq!(ContentCoding::parse(b"identity"), None);
    assert_eq!(ContentCoding::parse(b"gzip "), None);
}
