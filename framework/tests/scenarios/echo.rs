//! Bytes there and back.

use crate::support::*;

pub(crate) const SCENARIOS: List =
    list![a_mebibyte_in_odd_pieces_comes_back, ten_clients_at_once_do_not_mix,];

/// Cuts `data` into pieces of 1 to `most` bytes.
fn pieces(data: &[u8], most: usize, seed: u64) -> Vec<Vec<u8>> {
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut rest, mut all) = (data, Vec::new());
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(random.usize(1..=most).min(rest.len()));
        all.push(piece.to_vec());
        rest = behind;
    }
    all
}

fn a_mebibyte_in_odd_pieces_comes_back() -> Scenario {
    everywhere(|world| {
        let server = world.server().child(|ch| ch.pipeline().inbound("echo", Echo));
        let server = server.bind(world.free_address()).unwrap();
        let mut client = world.bytes_client(server.local_address(), greedy());
        let data = random_bytes(1 << 20, 1);
        for piece in pieces(&data, 9000, 2) {
            client.send(piece);
        }
        assert!(client.bytes(data.len()) == data, "other bytes came back");
        client.channel.close();
        client.ending()
    })
}

fn ten_clients_at_once_do_not_mix() -> Scenario {
    everywhere(|world| {
        let server = world.server().child(|ch| ch.pipeline().inbound("echo", Echo));
        let server = server.bind(world.free_address()).unwrap();
        let data: Vec<_> = (0..10).map(|seed| random_bytes(20_000, seed)).collect();
        let mut clients: Vec<_> =
            data.iter().map(|_| world.bytes_client(server.local_address(), greedy())).collect();
        let cut: Vec<_> = data.iter().map(|data| pieces(data, 3000, 5)).collect();
        for turn in 0..cut.iter().map(Vec::len).max().unwrap() {
            for (client, pieces) in clients.iter().zip(&cut) {
                if let Some(piece) = pieces.get(turn) {
                    client.send(piece.clone());
                }
            }
        }
        for (client, data) in clients.iter_mut().zip(&data) {
            assert!(client.bytes(data.len()) == *data, "other bytes came back");
        }
    })
}
