//! Proofs that are checked where nothing else of peermq is.

use crate::support::{Machine, archived, verify, write};

#[test]
fn a_delivery_is_proven_to_somebody_who_has_nothing_but_the_file() {
    let machine = Machine::new();
    let (a, b) = machine.pair();
    let (a_id, b_id) = (a.id(), b.id());
    let place = format!("{a_id}@0");
    let early = b.fails(1, &["receipt", &place]);
    assert!(early.ends_with("which was never sent"), "{early}");
    b.send(&a_id, "hello");
    let early = b.fails(1, &["receipt", &place]);
    assert!(early.ends_with("no receipt came: connect to it, then try again"), "{early}");
    let listener = a.listen();
    let connection = b.start(&["connect", &a_id]);
    listener.expect(&b_id, 0, &["hello"]);
    archived(&connection, 0);

    let file = machine.path("delivery.proof");
    let path = file.to_str().unwrap();
    assert_eq!(b.succeeds(&["receipt", &place, "--out", path]), "");
    let said = verify(&[path]).succeeded(&["verify"]);
    let start = format!("{a_id} has signed that it archived message ");
    assert!(
        said.starts_with(&start) && said.contains(&format!(".0 of {b_id}, written ")),
        "{said}"
    );
    let said = verify(&[path, "--json"]).succeeded(&["verify"]);
    let start = format!("{{\"proof\":\"delivery\",\"signer\":\"{a_id}\",\"author\":\"{b_id}\",");
    assert!(said.starts_with(&start) && said.contains("\"state\":\"archived\""), "{said}");
    let json = b.succeeds(&["receipt", &place, "--json"]);
    assert!(json.starts_with(&start) && json.contains("\"bytes\":\"cGVlcm1xcGYB"), "{json}");

    let piped = b.run(&["receipt", &place]).stdout;
    assert_eq!(piped, std::fs::read(&file).unwrap());
    let mut changed = piped.clone();
    changed[200] ^= 1;
    let changed = write(&machine.path("changed"), changed);
    let refused = verify(&[&changed]).failed(1, &["verify"]);
    assert_eq!(
        refused,
        "peermq: expected a proof as it was written, got one that was cut or changed"
    );
    let other = write(&machine.path("other"), "hello");
    let refused = verify(&[&other]).failed(1, &["verify"]);
    assert!(
        refused.ends_with("expected a proof, which begins with \"peermqpf\", got another file")
    );
    let missing = machine.path("missing");
    verify(&[missing.to_str().unwrap()]).failed(1, &["verify"]);
}
