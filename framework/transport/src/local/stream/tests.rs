//! A connection without a loop: flags are read where a loop would be woken.

use super::*;

fn connection(pipe_bytes: usize) -> (End, End, Pool) {
    let (client, server) = pair("c".into(), "s".into(), pipe_bytes);
    (client, server, Pool::new())
}

fn write(end: &End, bytes: &[u8], pool: &Pool) -> io::Result<usize> {
    end.write(&[IoSlice::new(bytes)], bytes.len(), pool)
}

fn data(end: &End, want: usize) -> (Vec<u8>, bool) {
    match end.read(want).unwrap() {
        Read::Data { bytes, more } => (bytes.to_vec(), more),
        other => panic!("expected bytes, not {other:?}"),
    }
}

#[test]
fn one_notice_until_the_reader_has_drained() {
    let (client, server, pool) = connection(100);
    write(&client, b"ab", &pool).unwrap();
    assert_eq!(server.take_flags(), Flags::READABLE);
    write(&client, b"cd", &pool).unwrap();
    assert_eq!(server.take_flags(), Flags::NONE, "the reader still owes a read");
    assert_eq!(data(&server, 3), (b"abc".to_vec(), true));
    assert_eq!(data(&server, 3), (b"d".to_vec(), false));
    write(&client, b"e", &pool).unwrap();
    assert_eq!(server.take_flags(), Flags::READABLE);
    assert_eq!(data(&server, 3), (b"e".to_vec(), false));
    assert!(matches!(server.read(3).unwrap(), Read::WouldBlock));
}

#[test]
fn a_full_pipe_tells_its_writer_when_half_is_free() {
    let (client, server, pool) = connection(10);
    assert_eq!(write(&client, &[7; 30], &pool).unwrap(), 10);
    assert_eq!(write(&client, &[7; 30], &pool).unwrap(), 0);
    data(&server, 4);
    assert_eq!(client.take_flags(), Flags::NONE);
    data(&server, 1);
    assert_eq!(client.take_flags(), Flags::WRITABLE);
    data(&server, 1);
    assert_eq!(client.take_flags(), Flags::NONE, "told once");
    assert_eq!(write(&client, &[7; 30], &pool).unwrap(), 6);
}

#[test]
fn half_close_leaves_the_other_direction_open() {
    let (client, server, pool) = connection(100);
    write(&client, b"question", &pool).unwrap();
    client.shutdown().unwrap();
    client.shutdown().unwrap();
    assert_eq!(server.take_flags(), Flags::READABLE.with(Flags::PEER_CLOSED));
    assert_eq!(data(&server, 100), (b"question".to_vec(), true));
    assert!(matches!(server.read(1).unwrap(), Read::End));
    assert!(matches!(server.read(1).unwrap(), Read::End));
    assert_eq!(write(&client, b"x", &pool).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    write(&server, b"answer", &pool).unwrap();
    assert_eq!(data(&client, 100), (b"answer".to_vec(), false));
}

#[test]
fn a_paused_reader_hears_of_the_end_and_later_of_the_bytes() {
    let (client, server, pool) = connection(100);
    server.set_reading(false);
    write(&client, b"late", &pool).unwrap();
    assert_eq!(server.take_flags(), Flags::NONE);
    client.shutdown().unwrap();
    assert_eq!(server.take_flags(), Flags::PEER_CLOSED);
    server.set_reading(true);
    assert_eq!(server.take_flags(), Flags::READABLE);
    assert_eq!(data(&server, 100), (b"late".to_vec(), true));
}

#[test]
fn an_orderly_close_delivers_and_breaks_the_way_back() {
    let (client, server, pool) = connection(4);
    write(&server, b"full", &pool).unwrap();
    assert_eq!(write(&server, b"!", &pool).unwrap(), 0);
    write(&client, b"bye", &pool).unwrap();
    client.close(CloseMode::Orderly);
    let expected = Flags::READABLE.with(Flags::WRITABLE).with(Flags::PEER_CLOSED);
    assert_eq!(server.take_flags(), expected);
    assert_eq!(write(&server, b"!", &pool).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    assert_eq!(data(&server, 100), (b"bye".to_vec(), true));
    assert!(matches!(server.read(1).unwrap(), Read::End));
    server.close(CloseMode::Orderly);
    assert_eq!(pool.stats().outstanding, 0);
}

#[test]
fn an_abort_and_a_dropped_end_reset_the_peer() {
    for dropped in [false, true] {
        let (client, server, pool) = connection(100);
        write(&client, b"lost", &pool).unwrap();
        client.shutdown().unwrap();
        if dropped {
            drop(client);
        } else {
            client.close(CloseMode::Abort);
        }
        assert_eq!(server.take_flags(), Flags::RESET);
        assert_eq!(server.read(1).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        let error = write(&server, b"x", &pool).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(pool.stats().outstanding, 0, "the bytes are gone");
    }
}
