//! Pieces of files on every transport: sent by the kernel where it can, read and copied elsewhere, with
//! the same order, promises and errors.

use std::fs::File;
use std::os::unix::fs::FileExt;

use fyke::core::handlers::ChunkedFiles;
use fyke::prelude::*;
use fyke::{CloseReason, FileRegion, FileSource};

use crate::support::*;

pub(crate) const SCENARIOS: List = list![
    pieces_of_files_keep_their_place_and_their_promises,
    a_file_that_is_cut_while_it_is_sent_ends_its_channel,
    a_file_that_is_cut_while_it_is_read_in_pieces_ends_its_channel,
];

fn file(world: &World) -> File {
    File::options().read(true).write(true).create_new(true).open(world.path()).unwrap()
}

fn pieces_of_files_keep_their_place_and_their_promises() -> Scenario {
    everywhere(|world| {
        let mut pair = world.pair(ChannelOptions::new(), ChannelOptions::new());
        let (content, far) = (random_bytes(300_000, 7), 5 << 30);
        let file = file(world);
        file.write_all_at(&content, 0).unwrap();
        // Far behind what 32 bits can say, with a hole in between.
        file.write_all_at(&content[..1000], far).unwrap();
        let plain = FileSource::new(file.try_clone().unwrap());
        let mapped = FileSource::mapped(file).unwrap();
        let region = |source, at, len| Outgoing::from(FileRegion::new(source, at, len));
        let messages: Vec<(Outgoing, &[u8])> = vec![
            ("head".into(), b"head"),
            (region(plain.clone(), 0, 300_000), &content),
            (region(plain.clone(), 100, 0), b""),
            ("between".into(), b"between"),
            (region(mapped, 7, 200_000), &content[7..200_007]),
            (region(plain, far, 1000), &content[..1000]),
            ("tail".into(), b"tail"),
        ];
        let expected: Vec<u8> = messages.iter().flat_map(|(_, bytes)| bytes.to_vec()).collect();
        let sender = pair.server.sender();
        let promises: Vec<_> =
            messages.into_iter().map(|(m, _)| sender.send_with_promise(m).unwrap()).collect();
        assert!(pair.client.bytes(expected.len()) == expected, "other bytes came");
        promises.into_iter().for_each(|promise| promise.wait().unwrap());
    })
}

/// What is left of a file's channel when the file is cut while it is sent: the sender's log, why it
/// closed, and whether the promises of the file and of what was behind it were kept.
fn cut(world: &World, mut pair: Pair) -> (Vec<Log>, CloseReason, [bool; 2]) {
    const ALL: usize = 24 << 20;
    let file = file(world);
    file.write_all_at(&vec![7; ALL], 0).unwrap();
    let region = FileSource::whole(file.try_clone().unwrap()).unwrap();
    let sender = pair.server.sender();
    let sent = sender.send_with_promise(region.into()).unwrap();
    let behind = sender.send_with_promise("never".into()).unwrap();
    // It is under way, and the client does not read.
    pair.server.until(&Log::Writable(false));
    file.set_len(1000).unwrap();
    // Where the server has noticed by itself, this one is closed already.
    let _ = pair.client.channel.set_auto_read(true);
    let kept = [sent.wait().is_ok(), behind.wait().is_ok()];
    let (log, _) = pair.client.ending();
    let got = log.iter().map(|entry| match entry {
        Log::Bytes(bytes) => bytes.len(),
        _ => 0,
    });
    let got: usize = got.sum();
    assert!(got < ALL, "all of a file that was cut");
    let (log, reason) = pair.server.ending();
    (log, reason, kept)
}

fn a_file_that_is_cut_while_it_is_sent_ends_its_channel() -> Scenario {
    everywhere(|world| {
        let client = narrow(ChannelOptions::new().auto_read(false));
        let pair = world.pair(client, narrow(ChannelOptions::new()));
        let (log, reason, kept) = cut(world, pair);
        assert!(log.contains(&Log::Error("UnexpectedEof".to_owned())), "{log:?}");
        assert_eq!((reason, kept), (CloseReason::Transport, [false, false]));
    })
}

fn a_file_that_is_cut_while_it_is_read_in_pieces_ends_its_channel() -> Scenario {
    everywhere(|world| {
        let listening = world.listen::<Outgoing, _>(narrow(ChannelOptions::new()), |ch, tap| {
            ch.pipeline().duplex("files", ChunkedFiles::new()).inbound("tap", tap)
        });
        let client = narrow(ChannelOptions::new().auto_read(false));
        let client = world.bytes_client(&listening.address, client);
        let server = listening.accept();
        let (log, _, kept) = cut(world, Pair { client, server, listening });
        assert!(log.contains(&Log::Error("UnexpectedEof".to_owned())), "{log:?}");
        assert_eq!(kept, [false, false]);
    })
}
