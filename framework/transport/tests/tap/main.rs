//! TAP devices, with the kernel at the other end of the wire.
//!
//! Each test is a process of its own in a user and network namespace of its own, where it may make
//! devices whoever runs it. Where there is no `/dev/net/tun`, or no namespace to be had, those that
//! need one are skipped, and it says so.
//!
//! `cargo test -p fyke-transport --test tap` runs all; a word behind `--` picks those with it in
//! their names.
#![cfg_attr(not(target_os = "linux"), allow(unused))]

#[cfg(target_os = "linux")]
mod devices;
#[cfg(target_os = "linux")]
mod echo;
#[cfg(target_os = "linux")]
mod namespace;
#[cfg(target_os = "linux")]
mod pairs;
#[cfg(target_os = "linux")]
mod ping;
#[cfg(target_os = "linux")]
mod runner;
#[cfg(target_os = "linux")]
mod support;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    runner::run(&[devices::TESTS, ping::TESTS, echo::TESTS, pairs::TESTS].concat())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("skipped: TAP devices are Linux's");
}
