//! IPv6: the walk over extension headers, options, fragments.

use fyke_stack::wire::ipv6::{
    Action, EXTENSION_HEADERS_MAX, Extension, FragmentHeader, Header, Ipv6Option, OPTIONS_MAX,
    OptionsHeader, OptionsView, Packet, Refused,
};
use fyke_stack::wire::{Emit, Error, IpProtocol};

use super::case::bytes_of;

/// A packet with these bytes behind its fixed header.
fn packet(next: IpProtocol, payload: &[u8]) -> Vec<u8> {
    let header = Header::new([1; 16].into(), [2; 16].into(), next, payload.len() as u16);
    [&header.to_vec(), payload].concat()
}

/// So many empty destination options headers and then something else.
fn chain(count: usize, last: IpProtocol) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in 1..=count {
        let next_header = if number == count { last } else { IpProtocol::DESTINATION_OPTIONS };
        OptionsHeader { next_header, options: &[] }.append(&mut bytes);
    }
    packet(IpProtocol::DESTINATION_OPTIONS, &bytes)
}

#[test]
fn a_chain_may_have_eight_headers() {
    let bytes = chain(EXTENSION_HEADERS_MAX, IpProtocol::TCP);
    let upper = Packet::parse(&bytes).unwrap().upper_layer().unwrap();
    assert_eq!(upper.protocol, IpProtocol::TCP);
    assert_eq!(upper.payload_at, bytes.len());

    let bytes = chain(EXTENSION_HEADERS_MAX + 1, IpProtocol::TCP);
    let packet = Packet::parse(&bytes).unwrap();
    assert_eq!(packet.upper_layer().err(), Some(Error::TooMany));
    assert_eq!(packet.extensions().count(), EXTENSION_HEADERS_MAX + 1, "the error is the last");
}

#[test]
fn hop_by_hop_options_come_first_or_not_at_all() {
    let mut bytes = Vec::new();
    OptionsHeader { next_header: IpProtocol::HOP_BY_HOP, options: &[] }.append(&mut bytes);
    OptionsHeader { next_header: IpProtocol::UDP, options: &[] }.append(&mut bytes);
    let first = packet(IpProtocol::HOP_BY_HOP, &bytes[8..]);
    let upper = Packet::parse(&first).unwrap().upper_layer().unwrap();
    assert_eq!(upper.protocol, IpProtocol::UDP);

    let second = packet(IpProtocol::DESTINATION_OPTIONS, &bytes);
    let mut walk = Packet::parse(&second).unwrap().extensions();
    assert!(matches!(walk.next(), Some(Ok(Extension::Destination(_)))));
    assert_eq!(walk.next().unwrap().err(), Some(Error::Unsupported));
    assert!(walk.next().is_none());
    // What a parameter problem with code 1 points to: the number of the header nobody expects.
    assert_eq!(walk.protocol_at(), 40);
    assert_eq!(second[walk.protocol_at()], IpProtocol::HOP_BY_HOP.0);
}

#[test]
fn fragments_end_the_walk_unless_they_are_the_first() {
    let piece = FragmentHeader {
        next_header: IpProtocol::DESTINATION_OPTIONS,
        offset: 1448,
        more: true,
        identification: 7,
    };
    let options = OptionsHeader { next_header: IpProtocol::UDP, options: &[] }.to_vec();
    let later = packet(IpProtocol::FRAGMENT, &[piece.to_vec(), options.clone()].concat());
    let upper = Packet::parse(&later).unwrap().upper_layer().unwrap();
    assert_eq!(upper.protocol, IpProtocol::DESTINATION_OPTIONS, "not looked at");
    assert_eq!(upper.fragment.unwrap().header, piece);
    assert_eq!(upper.fragment.unwrap().payload, options);

    let first = FragmentHeader { offset: 0, ..piece };
    let first = packet(IpProtocol::FRAGMENT, &[first.to_vec(), options.clone()].concat());
    let upper = Packet::parse(&first).unwrap().upper_layer().unwrap();
    assert_eq!(upper.protocol, IpProtocol::UDP);
    assert_eq!(upper.fragment.unwrap().payload, options);
    assert!(FragmentHeader { offset: 0, more: false, ..piece }.is_atomic());
    // The byte behind the next header is reserved, whatever its value.
    let mut odd = later;
    odd[41] = 0xff;
    assert_eq!(Packet::parse(&odd).unwrap().upper_layer().unwrap().fragment.unwrap().header, piece);
}

#[test]
fn routing_headers() {
    let mut bytes = vec![IpProtocol::TCP.0, 2, 0, 1, 0, 0, 0, 0];
    bytes.extend([9; 16]);
    let bytes = packet(IpProtocol::ROUTING, &bytes);
    let packet = Packet::parse(&bytes).unwrap();
    let Some(Ok(Extension::Routing(routing))) = packet.extensions().next() else {
        panic!("{:?}", packet.extensions().next());
    };
    assert_eq!((routing.kind, routing.segments_left, routing.data.len()), (0, 1, 20));
    assert_eq!(packet.upper_layer().unwrap().protocol, IpProtocol::TCP);
    for length in 0..24 {
        let mut cut = bytes.clone();
        cut[5] = length;
        let cut = Packet::parse(&cut).unwrap();
        assert_eq!(cut.upper_layer().err(), Some(Error::Truncated), "{length} bytes");
    }
}

#[test]
fn unknown_options_say_what_shall_be_done() {
    let check = |bytes: &[u8]| OptionsView::new(bytes, 42).check();
    let refused = |action, at| Err(Refused { action, at });
    assert_eq!(check(&[1, 2, 0, 0, 0x3e, 1, 9, 0]), Ok(()), "00: skip");
    assert_eq!(check(&[0, 0x7e, 0]), refused(Action::Discard, 43));
    assert_eq!(check(&[0x9e, 1, 9]), refused(Action::Report, 42));
    assert_eq!(check(&[5, 2, 0, 0, 0xde, 0]), refused(Action::ReportUnlessMulticast, 46));
    let jumbo = [0xc2, 4, 0, 1, 0, 0];
    assert_eq!(check(&jumbo), refused(Action::ReportUnlessMulticast, 42), "not supported");
    assert_eq!(check(&[1, 9, 0]), refused(Action::Discard, 42), "longer than the header");
    assert_eq!(check(&[0x3e]), refused(Action::Discard, 42), "no length");
}

#[test]
fn options_have_a_budget() {
    let view = OptionsView::new(&[0; OPTIONS_MAX], 0);
    assert_eq!(view.check(), Ok(()));
    assert!(view.iter().all(|option| option == Ok(Ipv6Option::Pad1)));
    let bytes = [0; OPTIONS_MAX + 1];
    let view = OptionsView::new(&bytes, 0);
    assert_eq!(view.iter().last(), Some(Err(Error::TooMany)));
    assert_eq!(view.check(), Err(Refused { action: Action::Discard, at: OPTIONS_MAX }));
}

#[test]
fn padding_fills_up_to_eight() {
    let unknown = [7; 16];
    for length in 0..=16 {
        let options = [Ipv6Option::Unknown { kind: 0x3e, data: &unknown[..length] }];
        let header = OptionsHeader { next_header: IpProtocol::UDP, options: &options };
        let bytes = bytes_of(&header);
        assert_eq!(bytes.len(), (4 + length).next_multiple_of(8));
        assert_eq!(bytes[1] as usize, bytes.len() / 8 - 1);
        let read: Result<Vec<_>, _> = OptionsView::new(&bytes[2..], 2).iter().collect();
        let read = read.unwrap();
        assert_eq!(read[0], options[0]);
        assert!(matches!(read[1..], [] | [Ipv6Option::Pad1 | Ipv6Option::PadN(_)]), "{read:?}");
        assert!(bytes[4 + length..].iter().skip(2).all(|byte| *byte == 0), "{bytes:?}");
    }
}

#[test]
fn an_empty_payload_is_no_jumbogram() {
    let bytes = [packet(IpProtocol::NO_NEXT, &[]), vec![0; 6]].concat();
    let packet = Packet::parse(&bytes).unwrap();
    assert_eq!((packet.payload(), packet.as_bytes().len()), (&[][..], 40));
    assert_eq!(packet.upper_layer().unwrap().protocol, IpProtocol::NO_NEXT);
    let mut bytes = bytes;
    bytes[0] = 0x45;
    assert_eq!(Packet::parse(&bytes).err(), Some(Error::Version));
}
