//! Types and codes of ICMP messages by the names scripts have for them.

use super::inbound::Unmakeable;

/// A type: its name, its number, its codes.
type Kind = (&'static str, u8, &'static [(&'static str, u8)]);

/// Names of types and codes: RFC 792 and 1812 for version 4, RFC 4443 for version 6.
pub(crate) fn numbers(kind: &str, code: Option<&str>, v6: bool) -> Result<(u8, u8), Unmakeable> {
    let types: &[Kind] = if v6 { V6 } else { V4 };
    let unknown = |name: &str| Unmakeable::UnknownIcmp(name.to_owned());
    let number = |name: &str, prefix: &str| name.strip_prefix(prefix)?.parse::<u8>().ok();
    let found = types.iter().find(|(name, ..)| *name == kind);
    let (kind, codes) = match (found, number(kind, "type_")) {
        (Some((_, kind, codes)), _) => (*kind, *codes),
        (None, Some(kind)) => (kind, &[][..]),
        (None, None) => return Err(unknown(kind)),
    };
    let Some(code) = code else { return Ok((kind, 0)) };
    let named = codes.iter().find(|(name, _)| *name == code).map(|(_, code)| *code);
    let code = named.or_else(|| number(code, "code_")).ok_or_else(|| unknown(code))?;
    Ok((kind, code))
}

const V4: &[Kind] = &[
    ("echo_reply", 0, &[]),
    (
        "unreachable",
        3,
        &[
            ("net_unreachable", 0),
            ("host_unreachable", 1),
            ("protocol_unreachable", 2),
            ("port_unreachable", 3),
            ("frag_needed", 4),
            ("source_route_failed", 5),
            ("net_unknown", 6),
            ("host_unknown", 7),
            ("source_host_isolated", 8),
            ("net_prohibited", 9),
            ("host_prohibited", 10),
            ("net_unreachable_for_tos", 11),
            ("host_unreachable_for_tos", 12),
            ("packet_filtered", 13),
            ("precedence_violation", 14),
            ("precedence_cutoff", 15),
        ],
    ),
    ("source_quench", 4, &[]),
    ("redirect", 5, &[]),
    ("echo_request", 8, &[]),
    ("time_exceeded", 11, &[("ttl_exceeded_in_transit", 0), ("frag_reass_exceeded", 1)]),
    ("parameter_problem", 12, &[]),
    ("timestamp_request", 13, &[]),
    ("timestamp_reply", 14, &[]),
    ("information_request", 15, &[]),
    ("information_reply", 16, &[]),
    ("address_mask_request", 17, &[]),
    ("address_mask_reply", 18, &[]),
];

const V6: &[Kind] = &[
    (
        "unreachable",
        1,
        &[
            ("no_route", 0),
            ("admin_prohibited", 1),
            ("not_neighbour", 2),
            ("address_unreachable", 3),
            ("port_unreachable", 4),
        ],
    ),
    ("packet_too_big", 2, &[]),
    ("time_exceeded", 3, &[("exceeded_hop_limit", 0), ("exceeded_frag_time", 1)]),
    (
        "parameter_problem",
        4,
        &[("header_field", 0), ("unknown_next_header", 1), ("unknown_option", 2)],
    ),
    ("echo_request", 128, &[]),
    ("echo_reply", 129, &[]),
    ("router_advertisement", 134, &[]),
];
