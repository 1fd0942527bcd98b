//! The connection against a scripted peer: every state with every event, and what each RFC wants
//! beyond it. No sleeps: time is an argument.
#![forbid(unsafe_code)]
#![allow(missing_docs, unreachable_pub, reason = "a test")]

mod rig;
mod states;

#[test]
fn p() {
    use fyke_stack::tcp::*;
    eprintln!("conn {} cc {} sb {} rtt {} sendbuf {} asm {} hystart {} cubic {} prr {}", size_of::<Connection>(), size_of::<congestion::Controller>(), size_of::<scoreboard::Scoreboard>(), size_of::<rtt::RttEstimator>(), size_of::<send_buffer::SendBuffer>(), size_of::<assembler::Assembler>(), size_of::<congestion::HyStart>(), size_of::<congestion::Cubic>(), size_of::<congestion::Prr>());
}
