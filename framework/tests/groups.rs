//! Groups among each other, and after their end.

use std::collections::HashSet;
use std::time::Duration;

use fyke::core::transport::TransportFactory;
use fyke::prelude::*;
use fyke::{Address, Blocking, ErrorKind, Kernel, ToAddresses};

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
            client.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
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

/// A name with several addresses.
struct Name(Vec<Address>);

impl ToAddresses for Name {
    fn to_addresses(&self) -> std::io::Result<Vec<Address>> {
        Ok(self.0.clone())
    }
}

/// An address at which nobody listens.
fn dead() -> Address {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    Address::from(listener.local_addr().unwrap())
}

/// A client takes the first address of a name that works, and tells why the last one did not.
#[test]
fn a_connect_tries_every_address_of_a_name() {
    fn connects(transport: impl TransportFactory) {
        let group = EventLoopGroup::new(1).unwrap();
        let server = server(&group, &ChannelGroup::new());
        let bootstrap = Bootstrap::new(group.clone())
            .transport(transport)
            .handler(|ch| ch.pipeline().inbound("none", read_fn(|_, _: ByteBuf| Ok(()))));
        let live = server.local_address().clone();
        let name = Name(vec![dead(), dead(), live.clone(), dead()]);
        let channel = bootstrap.connect(&name).wait().unwrap();
        assert_eq!(channel.peer_address(), Some(&live));
        let error = bootstrap.connect(Name(vec![dead(), dead()])).wait().unwrap_err();
        let ErrorKind::Io(error) = error.kind() else { panic!("{error}") };
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
        let error = bootstrap.connect(Name(Vec::new())).wait().unwrap_err();
        assert!(error.to_string().contains("no address"), "{error}");
        group.shutdown(Duration::ZERO);
    }
    connects(Kernel::tcp);
    connects(Blocking::tcp);
}

/// The processors that the loop's thread may run on.
fn processors(event_loop: &fyke::LoopHandle) -> String {
    let (answer, answers) = std::sync::mpsc::channel();
    let look = move |_: &mut _| {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("Cpus_allowed_list:")).unwrap();
        answer.send(line.split_whitespace().nth(1).unwrap().to_owned()).unwrap();
    };
    event_loop.execute(look).unwrap();
    answers.recv().unwrap()
}

/// Asked to, each loop keeps to one processor; otherwise none does that has a choice.
#[test]
fn loops_are_pinned_on_request() {
    let cpus = std::thread::available_parallelism().unwrap().get();
    let pinned = EventLoopGroup::builder().threads(cpus).pin_to_cpus(true).build().unwrap();
    let on: Vec<String> = pinned.loops().iter().map(processors).collect();
    let one_each = on.iter().all(|list| list.parse::<usize>().is_ok());
    assert!(one_each, "{on:?}");
    let distinct: std::collections::BTreeSet<&String> = on.iter().collect();
    assert_eq!(distinct.len(), cpus, "{on:?}");
    let free = EventLoopGroup::builder().threads(1).build().unwrap();
    let anywhere = processors(&free.loops()[0]);
    assert_eq!(anywhere.parse::<usize>().is_ok(), cpus == 1, "{anywhere}");
}

#[test]
fn as_many_threads_as_asked_for() {
    for threads in [1, 2, 5] {
        let group = EventLoopGroup::new(threads).unwrap();
        assert_eq!(group.loops().len(), threads);
        let ids: HashSet<u32> = group.loops().iter().map(fyke::LoopHandle::id).collect();
        assert_eq!(ids.len(), threads);
        assert_eq!(group.stats().len(), threads);
        let (sender, names) = std::sync::mpsc::channel();
        for one in group.loops() {
            let sender = sender.clone();
            let name = move || std::thread::current().name().map(str::to_owned);
            one.execute(move |_| sender.send(name()).unwrap()).unwrap();
        }
        drop(sender);
        let names: HashSet<_> = names.iter().flatten().collect();
        assert_eq!(names, (0..threads).map(|n| format!("fyke-{n}")).collect());
    }
    let per_processor = EventLoopGroup::new(0).unwrap();
    let processors = std::thread::available_parallelism().unwrap().get();
    assert_eq!(per_processor.loops().len(), processors);
}
