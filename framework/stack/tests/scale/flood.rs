//! SYNs from everywhere, and one from somebody who means it.

use fyke_stack::tcp::Flags;
use fyke_stack::{RxChecksum, RxMeta};

use crate::counting::live;
use crate::crowd::Crowd;
use crate::scale;

#[test]
fn spoofed_syns_leave_memory_flat_and_a_real_client_gets_in() {
    let count = scale(100_000);
    let mut crowd = Crowd::new(16, |_| {});
    let meta = RxMeta { checksum: RxChecksum::Valid, ..RxMeta::default() };
    let flood = |crowd: &mut Crowd, count: u32| {
        for n in 0..count {
            let frame = Crowd::frame(1000 + n, Flags::SYN, n.wrapping_mul(0x9e37_79b9), 0, b"");
            crowd.stack.input(crowd.now, frame, meta);
            if n % 64 == 63 {
                crowd.listen();
            }
        }
        crowd.listen();
        crowd.forget_events();
    };
    flood(&mut crowd, 10_000);
    let before = live();
    flood(&mut crowd, count);
    let grown = live() - before;
    println!("{count} spoofed SYNs: {grown} bytes");
    assert!(grown <= 4096, "{grown} bytes");
    let n = crowd.open();
    crowd.exchange(n, b"let me in");
    assert_eq!(crowd.stack.usage().connections, 1);
    assert_eq!(crowd.stack.counters().cookies_accepted, 1);
}
