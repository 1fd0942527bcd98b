//! Pipelines whose neighbours do not fit do not compile, and the compiler says which types differ.

#[test]
fn pipelines_that_do_not_fit_do_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/fits.rs");
    cases.compile_fail("tests/ui/inbound_neighbours.rs");
    cases.compile_fail("tests/ui/outbound_neighbours.rs");
    cases.compile_fail("tests/ui/decoder_behind_messages.rs");
    cases.compile_fail("tests/ui/stream_handler_on_datagrams.rs");
}
