//! Groups among each other, and after their end.

use std::time::Duration;

use fyke::core::transport::TransportFactory;
use fyke::prelude::*;
use fyke::{Blocking, ErrorKind};

fn server(group: &EventLoopGroup, members: &ChannelGroup<Outgoing>) -> Server {
    let members = members.clone();
    let join = move |cx: &mut Ctx<'_, Never, Outgoing>, msg: ByteBuf| {
        members.add(cx.sender()?);
        cx.write(msg.into());
        Ok(())
    };
    ServerBootstrap::new(group.clone())
        .child(move |ch| ch.pipeline().inbound("join", read_fn(join.clone())))
        .bind("127.0.0.1:0")
        .expect("a free port")
}

/// A channel of one group is never taken for one of another, so both are members.
#[test]
fn channels_of_two_groups_differ() {
    use std::io::{Read, Write};
    let members = ChannelGroup::new();
    let groups = [EventLoopGroup::new(1).unwrap(), EventLoopGroup::new(1).unwrap()];
    let servers: Vec<Server> = groups.iter().map(|group| server(group, &members)).collect();
    let mut clients: Vec<_> = servers
        .iter()
        .map(|server| {
            let address = server.local_address().as_inet().unwrap();
            let mut client = std::net::TcpStream::connect(address).unwrap();
            client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            client.write_all(b"x").unwrap();
            let mut echoed = [0];
            client.read_exact(&mut echoed).unwrap();
            client
        })
        .collect();
    assert_eq!(members.len(), 2);
    assert_eq!(members.broadcast(&Outgoing::from("to all")).sent, 2);
    for client in &mut clients {
        let mut got = [0; 6];
        client.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"to all");
    }
}

/// Whoever waits for a connect on a group that has ended is told, and does not wait for ever.
#[test]
fn a_connect_on_an_ended_group_is_refused() {
    fn refused(transport: impl TransportFactory) {
        let group = EventLoopGroup::new(1).unwrap();
        let bootstrap = Bootstrap::new(group.clone())
            .transport(transport)
            .handler(|ch| ch.pipeline().inbound("none", read_fn(|_, _: ByteBuf| Ok(()))));
        group.shutdown(Duration::ZERO);
        let error = bootstrap.connect("127.0.0.1:9").wait().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Closed), "{error}");
    }
    refused(Kernel::tcp);
    refused(Blocking::tcp);
}
