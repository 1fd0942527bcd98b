//! RFC 7692 section 7.1: the four parameters, offered and answered, both ways.

use fyke_codecs::websocket::DeflateConfig;

const PMD: &str = "permessage-deflate";

/// What a server with this configuration answers; the name is left out.
fn answer(config: &DeflateConfig, offer: &str) -> Option<String> {
    let agreed = config.answer([offer.as_bytes()]).expect("a list of extensions");
    agreed.map(|agreed| {
        let text = agreed.to_string();
        text.strip_prefix(PMD).expect("the name").trim_start_matches("; ").to_owned()
    })
}

#[test]
fn offers_that_a_server_agrees_to_7_1() {
    let table = [
        ("", ""),
        ("server_no_context_takeover", "server_no_context_takeover"),
        ("client_no_context_takeover", "client_no_context_takeover"),
        (
            "client_no_context_takeover; server_no_context_takeover",
            "server_no_context_takeover; client_no_context_takeover",
        ),
        ("server_max_window_bits=9", "server_max_window_bits=9"),
        ("server_max_window_bits=\"10\"", "server_max_window_bits=10"),
        ("server_max_window_bits=15", "server_max_window_bits=15"),
        ("client_max_window_bits", ""),
        ("client_max_window_bits=8", "client_max_window_bits=8"),
        ("client_max_window_bits=9", "client_max_window_bits=9"),
        ("client_max_window_bits=15", "client_max_window_bits=15"),
        (
            "server_no_context_takeover; server_max_window_bits=12; client_max_window_bits",
            "server_no_context_takeover; server_max_window_bits=12",
        ),
    ];
    for (offer, expected) in table {
        let text = if offer.is_empty() { PMD.to_owned() } else { format!("{PMD}; {offer}") };
        assert_eq!(answer(&DeflateConfig::new(), &text).as_deref(), Some(expected), "{offer}");
    }
}

#[test]
fn offers_that_a_server_declines_7_1() {
    let bad = [
        "server_no_context_takeover=1",
        "server_no_context_takeover=true",
        "server_no_context_takeover; server_no_context_takeover",
        "client_no_context_takeover=1",
        "client_no_context_takeover; client_no_context_takeover",
        "server_max_window_bits",
        "server_max_window_bits=0",
        "server_max_window_bits=7",
        // Eight cannot be compressed with.
        "server_max_window_bits=8",
        "server_max_window_bits=16",
        "server_max_window_bits=010",
        "server_max_window_bits=09",
        "server_max_window_bits=1",
        "server_max_window_bits=150",
        "server_max_window_bits=+9",
        "server_max_window_bits=ten",
        "server_max_window_bits=9; server_max_window_bits=9",
        "client_max_window_bits=7",
        "client_max_window_bits=16",
        "client_max_window_bits=08",
        "client_max_window_bits=15x",
        "client_max_window_bits; client_max_window_bits",
        "unknown",
        "unknown=1",
        "Server_no_context_takeover",
    ];
    for offer in bad {
        assert_eq!(answer(&DeflateConfig::new(), &format!("{PMD}; {offer}")), None, "{offer}");
        // The next offer of the list may do, and so may one in a field of its own.
        let second = format!("{PMD}; {offer}, {PMD}; server_max_window_bits=11");
        let expected = Some("server_max_window_bits=11");
        assert_eq!(answer(&DeflateConfig::new(), &second).as_deref(), expected, "{offer}");
        let fields = [format!("{PMD}; {offer}"), PMD.to_owned()];
        let fields = fields.iter().map(|field| field.as_bytes());
        assert!(DeflateConfig::new().answer(fields).expect("two lists").is_some(), "{offer}");
    }
    for offer in ["x-webkit-deflate-frame", "permessage-bzip2", "deflate", "permessage-deflate2"] {
        assert_eq!(answer(&DeflateConfig::new(), offer), None, "{offer}");
    }
    assert_eq!(DeflateConfig::new().answer([]), Ok(None));
}

#[test]
fn what_is_no_list_is_an_error_9_1() {
    for value in ["", ";", "permessage-deflate;", "permessage-deflate; a=", "a b", "a; b=\"c"] {
        assert!(DeflateConfig::new().answer([value.as_bytes()]).is_err(), "{value}");
        assert!(DeflateConfig::new().accept([value.as_bytes()]).is_err(), "{value}");
    }
}

#[test]
fn a_server_has_wishes_of_its_own_7_1() {
    let new = DeflateConfig::new;
    let table = [
        (new().server_no_context_takeover(true), "", "server_no_context_takeover"),
        (new().client_no_context_takeover(true), "", "client_no_context_takeover"),
        (new().server_max_window_bits(10), "", "server_max_window_bits=10"),
        (
            new().server_max_window_bits(10),
            "; server_max_window_bits=12",
            "server_max_window_bits=10",
        ),
        (
            new().server_max_window_bits(12),
            "; server_max_window_bits=10",
            "server_max_window_bits=10",
        ),
        (new().server_max_window_bits(8), "", "server_max_window_bits=9"),
        (new().server_max_window_bits(99), "", ""),
        // Only those who say so can be told how large a window to use.
        (new().client_max_window_bits(10), "", ""),
        (new().client_max_window_bits(10), "; client_max_window_bits", "client_max_window_bits=10"),
        (
            new().client_max_window_bits(10),
            "; client_max_window_bits=9",
            "client_max_window_bits=9",
        ),
        (
            new().client_max_window_bits(10),
            "; client_max_window_bits=12",
            "client_max_window_bits=10",
        ),
    ];
    for (config, offer, expected) in table {
        let answered = answer(&config, &format!("{PMD}{offer}"));
        assert_eq!(answered.as_deref(), Some(expected), "{config:?} {offer}");
    }
}

#[test]
fn what_a_client_offers_7_1() {
    let new = DeflateConfig::new;
    let table = [
        (new(), "; client_max_window_bits"),
        (
            new().server_no_context_takeover(true).client_no_context_takeover(true),
            "; server_no_context_takeover; client_no_context_takeover; client_max_window_bits",
        ),
        (new().server_max_window_bits(9), "; server_max_window_bits=9; client_max_window_bits"),
        (new().client_max_window_bits(11), "; client_max_window_bits=11"),
    ];
    for (config, expected) in table {
        let offer = config.offer();
        assert_eq!(offer, format!("{PMD}{expected}"));
        // Our own server understands it, and our own client its answer.
        let agreed =
            DeflateConfig::new().answer([offer.as_bytes()]).expect("a list").expect("good");
        assert!(
            config.accept([agreed.to_string().as_bytes()]).is_ok_and(|a| a.is_some()),
            "{offer}"
        );
    }
}

/// What a client makes of an answer: bits of the server, bits of the client, and who starts anew.
fn accept(
    config: &DeflateConfig,
    answer: &str,
) -> Result<Option<(u8, u8, bool, bool)>, &'static str> {
    let agreed = config.accept([answer.as_bytes()]).map_err(|error| error.what())?;
    Ok(agreed.map(|agreed| {
        (
            agreed.server_max_window_bits(),
            agreed.client_max_window_bits(),
            agreed.server_no_context_takeover(),
            agreed.client_no_context_takeover(),
        )
    }))
}

#[test]
fn answers_that_a_client_accepts_7_1() {
    let new = DeflateConfig::new;
    let table = [
        (new(), "", (15, 15, false, false)),
        (new(), "; server_no_context_takeover", (15, 15, true, false)),
        (new(), "; client_no_context_takeover", (15, 15, false, true)),
        (new(), "; server_max_window_bits=8", (8, 15, false, false)),
        (new(), "; server_max_window_bits=12; client_max_window_bits=9", (12, 9, false, false)),
        (new().client_max_window_bits(10), "", (15, 10, false, false)),
        (new().client_max_window_bits(10), "; client_max_window_bits=9", (15, 9, false, false)),
        (new().server_max_window_bits(10), "; server_max_window_bits=9", (9, 15, false, false)),
        (new().client_no_context_takeover(true), "", (15, 15, false, true)),
        (
            new().server_no_context_takeover(true),
            "; server_no_context_takeover",
            (15, 15, true, false),
        ),
    ];
    for (config, answer, expected) in table {
        let accepted = accept(&config, &format!("{PMD}{answer}"));
        assert_eq!(accepted, Ok(Some(expected)), "{config:?} {answer}");
    }
    assert_eq!(DeflateConfig::new().accept([]), Ok(None), "no compression then");
}

#[test]
fn answers_that_a_client_refuses_7_1() {
    let new = DeflateConfig::new;
    let table = [
        (new(), "permessage-bzip2"),
        (new(), "permessage-deflate, permessage-deflate"),
        (new(), "permessage-deflate, x"),
        (new(), "permessage-deflate; unknown"),
        (new(), "permessage-deflate; server_max_window_bits"),
        (new(), "permessage-deflate; server_max_window_bits=16"),
        (new(), "permessage-deflate; server_max_window_bits=7"),
        (new(), "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9"),
        (new(), "permessage-deflate; server_no_context_takeover=0"),
        (new(), "permessage-deflate; client_no_context_takeover=0"),
        (new(), "permessage-deflate; client_max_window_bits"),
        // Eight cannot be compressed with.
        (new(), "permessage-deflate; client_max_window_bits=8"),
        (new(), "permessage-deflate; client_max_window_bits=16"),
        (new().client_max_window_bits(10), "permessage-deflate; client_max_window_bits=11"),
        (new().server_max_window_bits(10), "permessage-deflate"),
        (new().server_max_window_bits(10), "permessage-deflate; server_max_window_bits=11"),
        (new().server_no_context_takeover(true), "permessage-deflate"),
    ];
    for (config, answer) in table {
        assert!(accept(&config, answer).is_err(), "{config:?} {answer}");
    }
    let two = DeflateConfig::new().accept([PMD.as_bytes(), PMD.as_bytes()]);
    assert!(two.is_err(), "in two fields");
}
