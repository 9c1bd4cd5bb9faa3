//! An author whose directory was copied and used twice, against its user's word, has signed two
//! versions of its log: its readers find out, keep the proof and are told until they know.

use serde_json::{Value, json};

use crate::support::{Machine, Node, copy, deliver, verify, write};

/// Two nodes with one identity and one life of its log, and two readers that have added each other.
struct Forked {
    author: Node,
    twin: Node,
    readers: [Node; 2],
}

impl Forked {
    fn new(machine: &Machine) -> Self {
        let [author, twin, b, c] = ["a", "twin", "b", "c"].map(|name| machine.node(name));
        let readers = [b, c];
        let ids = readers.each_ref().map(Node::id);
        for (reader, other) in readers.iter().zip([&ids[1], &ids[0]]) {
            reader.succeeds(&["add-peer", &author.id(), other]);
        }
        author.succeeds(&["status"]); // Its log has begun.
        copy(&author.directory, &twin.directory);
        twin.succeeds(&["recover", "--moved"]);
        Self { author, twin, readers }
    }

    /// The readers are connected until each has told of the fork; gives what they told.
    fn meet(&self) -> [String; 2] {
        let [b, c] = &self.readers;
        let (listener, connection) = (b.start(&["listen"]), c.start(&["connect", &b.id()]));
        [&listener, &connection].map(|side| side.error_line_with("two versions"))
    }
}

/// A version of the author sends so many messages to a reader, which archives them.
fn go_on(author: &Node, reader: &Node, count: u64) {
    for seq in 0..count {
        author.send(&reader.id(), &format!("message {seq}"));
    }
    deliver(author, reader, count - 1);
}

fn forks(node: &Node) -> Vec<Value> {
    let lines = node.succeeds(&["forks", "--json"]);
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn two_readers_find_the_fork_when_they_meet_and_are_told_until_they_know() {
    let machine = Machine::new();
    let forked = Forked::new(&machine);
    let Forked { author, twin, readers: [b, c] } = &forked;
    let id = author.id();
    go_on(author, b, 2);
    go_on(twin, c, 2);
    assert!(forks(b).is_empty() && forks(c).is_empty());
    for told in forked.meet() {
        let start = format!("peermq: {id} has signed two versions of its log ");
        assert!(told.starts_with(&start) && told.ends_with("see peermq forks"), "{told}");
    }
    let [fork] = &forks(b)[..] else { panic!("{:?}", forks(b)) };
    assert_eq!((&fork["author"], &fork["acknowledged"]), (&json!(id), &json!(false)));
    let epoch = fork["epoch"].as_u64().unwrap();

    // Each start tells it, also after a kill, until the user knows.
    let listener = b.start(&["listen", "--json"]);
    let told: Value = serde_json::from_str(&listener.error_line_with("notice")).unwrap();
    assert_eq!((&told["notice"], &told["epoch"]), (&json!("fork"), &json!(epoch)));
    listener.kill();
    let listener = b.start(&["listen"]);
    listener.error_line_with("two versions");
    let line =
        format!("{id}.{epoch} two versions are signed, at 2 and 2 entries, not acknowledged");
    assert_eq!(b.succeeds(&["forks"]).trim_end(), line, "while the node runs");
    assert!(b.succeeds(&["status"]).contains(&format!("\nforked     {line}\n")));
    b.succeeds(&["forks", "--ack", &format!("{id}.{epoch}")]);
    let other = b.fails(1, &["forks", "--ack", &format!("{id}.1")]);
    assert!(other.contains("expected an author that is known to have forked"), "{other}");
    listener.kill();
    let listener = b.start(&["listen"]);
    listener.error_line_with("listening on");
    assert!(!listener.interrupt().stderr.contains("two versions"));
    assert_eq!(forks(b)[0]["acknowledged"], json!(true));

    // What came before stays; nothing more of either version is taken in.
    assert_eq!(b.succeeds(&["show", &format!("{id}@1")]), "message 1");
    author.succeeds(&["add-peer", &b.id()]);
    author.send(&b.id(), "more");
    let listener = b.listen();
    let _connection = author.start(&["connect", &b.id()]);
    b.succeeds(&["send", "--to", &id, "--message", "back", "--wait", "stored"]);
    assert_eq!(listener.lines_at_hand(), Vec::<String>::new());
    assert!(b.succeeds(&["status"]).contains(&format!("its log as far as {epoch}:2\n")));
}

#[test]
fn a_fork_is_proven_to_somebody_who_has_nothing_but_the_file() {
    let machine = Machine::new();
    let forked = Forked::new(&machine);
    let Forked { author, twin, readers: [b, c] } = &forked;
    let id = author.id();
    let none = b.fails(1, &["forks", "--export", &id]);
    assert!(none.contains("known to have forked"), "{none}");
    // Their lengths never agree: it comes out when one version has to lead to the other.
    go_on(author, b, 1);
    go_on(twin, c, 5);
    let (listener, connection) = (b.listen(), c.start(&["connect", &b.id()]));
    for text in ["their heads", "are told by now"] {
        c.succeeds(&["send", "--to", &b.id(), "--message", text, "--wait", "stored"]);
    }
    assert!(forks(b).is_empty());
    for _ in 1..9 {
        author.send(&b.id(), "more");
    }
    let _author = author.start(&["connect", &b.id()]);
    for side in [&listener, &connection] {
        assert!(side.error_line_with("two versions").contains(&id));
    }

    for reader in [b, c] {
        let file = machine.path("fork.proof");
        let path = file.to_str().unwrap();
        assert_eq!(reader.succeeds(&["forks", "--export", &id, "--out", path]), "");
        let proof = std::fs::read(&file).unwrap();
        assert!(proof.len() < 1_000, "{} bytes", proof.len());
        let said = verify(&[path]).succeeded(&["verify"]);
        assert!(said.starts_with(&format!("{id} has signed two versions of its log ")), "{said}");
        let said = verify(&[path, "--json"]).succeeded(&["verify"]);
        let said: Value = serde_json::from_str(&said).unwrap();
        assert_eq!((&said["proof"], &said["author"]), (&json!("fork"), &json!(id)));
        assert_eq!(said["first"]["length"], json!(5));
        assert_eq!(reader.run(&["forks", "--export", &id]).stdout, proof);
        let mut changed = proof;
        changed[60] ^= 1;
        let changed = write(&machine.path("changed"), changed);
        let refused = verify(&[&changed]).failed(1, &["verify"]);
        assert!(refused.starts_with("peermq: expected a proof as it was written"), "{refused}");
    }
}

#[test]
fn a_new_life_is_followed_once_the_user_knows() {
    let machine = Machine::new();
    let forked = Forked::new(&machine);
    let Forked { author, twin, readers: [b, c] } = &forked;
    let id = author.id();
    go_on(author, b, 1);
    go_on(twin, c, 1);
    forked.meet();
    author.succeeds(&["recover", "--new-epoch"]);
    author.send(&b.id(), "new");
    b.succeeds(&["forks", "--ack", &id]);
    let (listener, _connection) = (b.start(&["listen"]), author.start(&["connect", &b.id()]));
    let told = listener.error_line_with("new life");
    let epoch = told.rsplit('@').next().unwrap().trim_end_matches(".<seq>");
    assert_eq!(listener.line(), format!("MESSAGE {id}@{epoch}.0 new"));
}
